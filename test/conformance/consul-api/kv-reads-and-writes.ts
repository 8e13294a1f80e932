import { exchange, type Scenario } from './exchange.js';

export const kvReadsAndWrites: Scenario = {
  name: 'keys are written and read',
  exchanges: [
    exchange('a missing key', 'GET /v1/kv/a', { status: 404, body: '', index: '<index 1>' }),
    exchange('a new key', 'PUT /v1/kv/a', { status: 200, body: true }, { text: 'one' }),
    exchange('reads with its value in base64', 'GET /v1/kv/a', {
      status: 200,
      body: [
        {
          LockIndex: 0,
          Key: 'a',
          Flags: 0,
          Value: 'b25l',
          CreateIndex: '<index 2>',
          ModifyIndex: '<index 2>',
        },
      ],
      index: '<index 2>',
    }),
    exchange('raw', 'GET /v1/kv/a?raw', { status: 200, body: 'one', index: '<index 2>' }),
    exchange('an equal write', 'PUT /v1/kv/a', { status: 200, body: true }, { text: 'one' }),
    exchange(
      'changes nothing',
      'GET /v1/kv/a',
      {
        status: 200,
        body: [
          {
            LockIndex: 0,
            Key: 'a',
            Flags: 0,
            Value: 'b25l',
            CreateIndex: '<index 2>',
            ModifyIndex: '<index 2>',
          },
        ],
        index: '<index 2>',
      },
      { save: { first: '0.ModifyIndex' } },
    ),
    exchange('flags are a change', 'PUT /v1/kv/a?flags=42', { status: 200, body: true }, { text: 'one' }),
    exchange(
      'and read',
      'GET /v1/kv/a',
      {
        status: 200,
        body: [
          {
            LockIndex: 0,
            Key: 'a',
            Flags: 42,
            Value: 'b25l',
            CreateIndex: '<index 2>',
            ModifyIndex: '<index 3>',
          },
        ],
        index: '<index 3>',
      },
      { save: { second: '0.ModifyIndex' } },
    ),
    exchange('an empty value', 'PUT /v1/kv/empty', { status: 200, body: true }, { text: '' }),
    exchange('is null', 'GET /v1/kv/empty', {
      status: 200,
      body: [
        {
          LockIndex: 0,
          Key: 'empty',
          Flags: 0,
          Value: null,
          CreateIndex: '<index 4>',
          ModifyIndex: '<index 4>',
        },
      ],
      index: '<index 4>',
    }),
    exchange('cas 0 on a known key', 'PUT /v1/kv/a?cas=0', { status: 200, body: false }, { text: 'two' }),
    exchange(
      'cas with a stale index',
      'PUT /v1/kv/a?cas={{first}}',
      { status: 200, body: false },
      { text: 'two' },
    ),
    exchange(
      'cas with the right index',
      'PUT /v1/kv/a?cas={{second}}',
      { status: 200, body: true },
      { text: 'two' },
    ),
    exchange('cas 0 on a new key', 'PUT /v1/kv/b/1?cas=0', { status: 200, body: true }, { text: 'x' }),
    exchange(
      'cas with an index on a missing key',
      'PUT /v1/kv/c?cas=5',
      { status: 200, body: false },
      { text: 'x' },
    ),
    exchange(
      'cas that is no number',
      'PUT /v1/kv/c?cas=x',
      { status: 500, body: 'strconv.ParseUint: parsing "x": invalid syntax' },
      { text: 'x' },
    ),
    exchange(
      'flags that are no number',
      'PUT /v1/kv/c?flags=-1',
      { status: 500, body: 'strconv.ParseUint: parsing "-1": invalid syntax' },
      { text: 'x' },
    ),
    exchange(
      'cas and acquire',
      'PUT /v1/kv/c?cas=0&acquire=x',
      { status: 400, body: 'Conflicting flags: acquire=x&cas=0' },
      { text: 'x' },
    ),
    exchange('no key', 'PUT /v1/kv/', { status: 400, body: 'Missing key name' }, { text: 'x' }),
    exchange('no key to read', 'GET /v1/kv/', { status: 400, body: 'Missing key name' }),
    exchange(
      'a key with a slash and a space',
      'PUT /v1/kv/b/2%20x',
      { status: 200, body: true },
      { text: 'y' },
    ),
    exchange('a tree', 'GET /v1/kv/b?recurse', {
      status: 200,
      body: [
        {
          LockIndex: 0,
          Key: 'b/1',
          Flags: 0,
          Value: 'eA==',
          CreateIndex: '<index 5>',
          ModifyIndex: '<index 5>',
        },
        {
          LockIndex: 0,
          Key: 'b/2 x',
          Flags: 0,
          Value: 'eQ==',
          CreateIndex: '<index 6>',
          ModifyIndex: '<index 6>',
        },
      ],
      index: '<index 6>',
    }),
    exchange('its keys', 'GET /v1/kv/b?keys', { status: 200, body: ['b/1', 'b/2 x'], index: '<index 6>' }),
    exchange('its keys up to a separator', 'GET /v1/kv/?keys&separator=/', {
      status: 200,
      body: ['a', 'b/', 'empty'],
      index: '<index 6>',
    }),
    exchange('keys that are not there', 'GET /v1/kv/zoo?keys', { status: 404, body: '', index: '<index 6>' }),
    exchange('a tree that is not there', 'GET /v1/kv/zoo?recurse', {
      status: 404,
      body: '',
      index: '<index 6>',
    }),
    exchange('a delete with a stale index', 'DELETE /v1/kv/b/1?cas=5', { status: 200, body: false }),
    exchange('a delete', 'DELETE /v1/kv/b/1', { status: 200, body: true }),
    exchange('a delete of what is gone', 'DELETE /v1/kv/b/1', { status: 200, body: true }),
    exchange('a delete with index of what is gone', 'DELETE /v1/kv/b/1?cas=5', { status: 200, body: true }),
    exchange('the tree has moved on', 'GET /v1/kv/b?recurse', {
      status: 200,
      body: [
        {
          LockIndex: 0,
          Key: 'b/2 x',
          Flags: 0,
          Value: 'eQ==',
          CreateIndex: '<index 6>',
          ModifyIndex: '<index 6>',
        },
      ],
      index: '<index 7>',
    }),
    exchange('recurse and cas', 'DELETE /v1/kv/b?recurse&cas=5', {
      status: 400,
      body: 'Conflicting flags: cas=5&recurse=',
    }),
    exchange('a tree', 'DELETE /v1/kv/b?recurse', { status: 200, body: true }),
    exchange('is gone', 'GET /v1/kv/b?recurse', { status: 404, body: '', index: '<index 8>' }),
    exchange('another method', 'POST /v1/kv/a', {
      status: 405,
      body: 'method POST not allowed',
      allow: 'OPTIONS,GET,PUT,DELETE',
    }),
  ],
};
