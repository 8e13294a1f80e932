import { exchange, type Scenario } from './exchange.js';

export const kvLocks: Scenario = {
  name: 'locks and their sessions',
  exchanges: [
    exchange(
      'a session without lock-delay',
      'PUT /v1/session/create',
      { status: 200, body: { ID: '<uuid 1>' } },
      { body: { Name: 'first', LockDelay: '0s', TTL: '600s' }, save: { s1: 'ID' } },
    ),
    exchange(
      'another',
      'PUT /v1/session/create',
      { status: 200, body: { ID: '<uuid 2>' } },
      { body: { Name: 'second', LockDelay: '0s' }, save: { s2: 'ID' } },
    ),
    exchange(
      'the first takes the lock',
      'PUT /v1/kv/lock/a?acquire={{s1}}',
      { status: 200, body: true },
      { text: 'one' },
    ),
    exchange('the key tells who holds it', 'GET /v1/kv/lock/a', {
      status: 200,
      body: [
        {
          LockIndex: 1,
          Key: 'lock/a',
          Flags: 0,
          Value: 'b25l',
          Session: '<uuid 1>',
          CreateIndex: '<index 1>',
          ModifyIndex: '<index 1>',
        },
      ],
      index: '<index 1>',
    }),
    exchange(
      'the second does not get it',
      'PUT /v1/kv/lock/a?acquire={{s2}}',
      { status: 200, body: false },
      { text: 'two' },
    ),
    exchange(
      'the first may take it again',
      'PUT /v1/kv/lock/a?acquire={{s1}}',
      { status: 200, body: true },
      { text: 'more' },
    ),
    exchange('without counting up', 'GET /v1/kv/lock/a', {
      status: 200,
      body: [
        {
          LockIndex: 1,
          Key: 'lock/a',
          Flags: 0,
          Value: 'bW9yZQ==',
          Session: '<uuid 1>',
          CreateIndex: '<index 1>',
          ModifyIndex: '<index 2>',
        },
      ],
      index: '<index 2>',
    }),
    exchange(
      'the second cannot release it',
      'PUT /v1/kv/lock/a?release={{s2}}',
      { status: 200, body: false },
      { text: 'two' },
    ),
    exchange(
      'the first releases it',
      'PUT /v1/kv/lock/a?release={{s1}}',
      { status: 200, body: true },
      { text: 'rest' },
    ),
    exchange('the count stays', 'GET /v1/kv/lock/a', {
      status: 200,
      body: [
        {
          LockIndex: 1,
          Key: 'lock/a',
          Flags: 0,
          Value: 'cmVzdA==',
          CreateIndex: '<index 1>',
          ModifyIndex: '<index 3>',
        },
      ],
      index: '<index 3>',
    }),
    exchange(
      'a repeated release',
      'PUT /v1/kv/lock/a?release={{s1}}',
      { status: 200, body: false },
      { text: 'rest' },
    ),
    exchange(
      'the second takes it',
      'PUT /v1/kv/lock/a?acquire={{s2}}',
      { status: 200, body: true },
      { text: 'mine' },
    ),
    exchange('the count goes up', 'GET /v1/kv/lock/a', {
      status: 200,
      body: [
        {
          LockIndex: 2,
          Key: 'lock/a',
          Flags: 0,
          Value: 'bWluZQ==',
          Session: '<uuid 2>',
          CreateIndex: '<index 1>',
          ModifyIndex: '<index 4>',
        },
      ],
      index: '<index 4>',
    }),
    exchange(
      'a plain write overwrites a locked key',
      'PUT /v1/kv/lock/a',
      { status: 200, body: true },
      { text: 'fool' },
    ),
    exchange('and zeroes the count, while the session stays', 'GET /v1/kv/lock/a', {
      status: 200,
      body: [
        {
          LockIndex: 0,
          Key: 'lock/a',
          Flags: 0,
          Value: 'Zm9vbA==',
          Session: '<uuid 2>',
          CreateIndex: '<index 1>',
          ModifyIndex: '<index 5>',
        },
      ],
      index: '<index 5>',
    }),
    exchange(
      'no session',
      'PUT /v1/kv/lock/b?acquire=',
      { status: 500, body: 'raft apply failed: missing session' },
      { text: 'x' },
    ),
    exchange(
      'an unknown session',
      'PUT /v1/kv/lock/b?acquire=11111111-2222-3333-4444-555555555555',
      { status: 500, body: 'raft apply failed: invalid session "<uuid 3>"' },
      { text: 'x' },
    ),
    exchange('the end of the session', 'PUT /v1/session/destroy/{{s2}}', { status: 200, body: true }),
    exchange('frees the key', 'GET /v1/kv/lock/a', {
      status: 200,
      body: [
        {
          LockIndex: 0,
          Key: 'lock/a',
          Flags: 0,
          Value: 'Zm9vbA==',
          CreateIndex: '<index 1>',
          ModifyIndex: '<index 6>',
        },
      ],
      index: '<index 6>',
    }),
    exchange(
      'who deletes what it locked',
      'PUT /v1/session/create',
      { status: 200, body: { ID: '<uuid 4>' } },
      { body: { Behavior: 'delete', LockDelay: '0s' }, save: { s3: 'ID' } },
    ),
    exchange(
      'takes a lock',
      'PUT /v1/kv/lock/gone?acquire={{s3}}',
      { status: 200, body: true },
      { text: 'x' },
    ),
    exchange('and ends', 'PUT /v1/session/destroy/{{s3}}', { status: 200, body: true }),
    exchange('the key is gone', 'GET /v1/kv/lock/gone', { status: 404, body: '', index: '<index 7>' }),
  ],
};
