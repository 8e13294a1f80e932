import { exchange, type Scenario } from './exchange.js';

export const entryKinds: Scenario = {
  name: 'other kinds of entries',
  exchanges: [
    exchange('a kind that does not exist', 'GET /v1/config/service-wishes', {
      status: 500,
      body: 'invalid config entry kind: service-wishes',
    }),
    exchange('an entry of a kind that does not exist', 'GET /v1/config/service-wishes/a', {
      status: 500,
      body: 'invalid config entry kind: service-wishes',
    }),
    exchange('a delete of such', 'DELETE /v1/config/service-wishes/a', {
      status: 400,
      body: 'invalid config entry kind: service-wishes',
    }),
    exchange('a delete without name', 'DELETE /v1/config/service-intentions', {
      status: 404,
      body: 'Must provide both a kind and name to delete',
    }),
    exchange('a missing entry', 'GET /v1/config/service-defaults/nobody', {
      status: 404,
      body: 'Config entry not found for "service-defaults" / "nobody"',
      index: '<index 1>',
    }),
    exchange('a missing kind lists nothing', 'GET /v1/config/service-defaults', {
      status: 200,
      body: [],
      index: '<index 1>',
    }),
    exchange(
      'a name with a slash',
      'PUT /v1/config',
      { status: 200, body: true },
      { body: { Kind: 'service-intentions', Name: 'a/b', Sources: [{ Name: 'web', Action: 'allow' }] } },
    ),
    exchange('is read by it', 'GET /v1/config/service-intentions/a/b', {
      status: 200,
      body: {
        Kind: 'service-intentions',
        Name: 'a/b',
        Sources: [{ Name: 'web', Action: 'allow', Precedence: 9, Type: 'consul' }],
        CreateIndex: '<index 2>',
        ModifyIndex: '<index 2>',
      },
      index: '<index 2>',
    }),
    exchange(
      'a name with a space',
      'PUT /v1/config',
      { status: 200, body: true },
      { body: { Kind: 'service-intentions', Name: 'a b', Sources: [{ Name: 'web', Action: 'allow' }] } },
    ),
    exchange('is read encoded', 'GET /v1/config/service-intentions/a%20b', {
      status: 200,
      body: {
        Kind: 'service-intentions',
        Name: 'a b',
        Sources: [{ Name: 'web', Action: 'allow', Precedence: 9, Type: 'consul' }],
        CreateIndex: '<index 3>',
        ModifyIndex: '<index 3>',
      },
      index: '<index 3>',
    }),
    exchange('entries are listed by name', 'GET /v1/config/service-intentions', {
      status: 200,
      body: [
        {
          Kind: 'service-intentions',
          Name: 'a b',
          Sources: [{ Name: 'web', Action: 'allow', Precedence: 9, Type: 'consul' }],
          CreateIndex: '<index 3>',
          ModifyIndex: '<index 3>',
        },
        {
          Kind: 'service-intentions',
          Name: 'a/b',
          Sources: [{ Name: 'web', Action: 'allow', Precedence: 9, Type: 'consul' }],
          CreateIndex: '<index 2>',
          ModifyIndex: '<index 2>',
        },
      ],
      index: '<index 3>',
    }),
  ],
};
