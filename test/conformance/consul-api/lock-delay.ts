import { exchange, type Scenario } from './exchange.js';

export const lockDelay: Scenario = {
  name: 'lock-delay',
  exchanges: [
    exchange(
      'a session with the usual delay',
      'PUT /v1/session/create',
      { status: 200, body: { ID: '<uuid 1>' } },
      { save: { s1: 'ID' } },
    ),
    exchange('has fifteen seconds', 'GET /v1/session/info/{{s1}}', {
      status: 200,
      body: [
        {
          ID: '<uuid 1>',
          Name: '',
          Node: '<node>',
          LockDelay: 15000000000,
          Behavior: 'release',
          TTL: '',
          NodeChecks: ['serfHealth'],
          ServiceChecks: null,
          CreateIndex: '<index 1>',
          ModifyIndex: '<index 1>',
        },
      ],
      index: '<index 1>',
    }),
    exchange('takes a lock', 'PUT /v1/kv/delayed?acquire={{s1}}', { status: 200, body: true }, { text: 'x' }),
    exchange(
      'another session',
      'PUT /v1/session/create',
      { status: 200, body: { ID: '<uuid 2>' } },
      { body: { LockDelay: '1s' }, save: { s2: 'ID' } },
    ),
    exchange('the first ends', 'PUT /v1/session/destroy/{{s1}}', { status: 200, body: true }),
    exchange(
      'nobody gets the lock for now',
      'PUT /v1/kv/delayed?acquire={{s2}}',
      { status: 200, body: false },
      { text: 'x' },
    ),
    exchange(
      'nor by a transaction',
      'PUT /v1/txn',
      {
        status: 409,
        body: {
          Results: null,
          Errors: [{ OpIndex: 0, What: 'failed to lock key "delayed" due to lock delay' }],
        },
      },
      { body: [{ KV: { Verb: 'lock', Key: 'delayed', Session: '{{s2}}', Value: 'eA==' } }] },
    ),
    exchange(
      'a release instead leaves no delay',
      'PUT /v1/kv/free?acquire={{s2}}',
      { status: 200, body: true },
      { text: 'x' },
    ),
    exchange('given back', 'PUT /v1/kv/free?release={{s2}}', { status: 200, body: true }, { text: 'x' }),
    exchange(
      'a third session',
      'PUT /v1/session/create',
      { status: 200, body: { ID: '<uuid 3>' } },
      { body: { LockDelay: 0 }, save: { s3: 'ID' } },
    ),
    exchange('gets it at once', 'PUT /v1/kv/free?acquire={{s3}}', { status: 200, body: true }, { text: 'x' }),
    exchange('a delay of 0 reads as such', 'GET /v1/session/info/{{s3}}', {
      status: 200,
      body: [
        {
          ID: '<uuid 3>',
          Name: '',
          Node: '<node>',
          LockDelay: 0,
          Behavior: 'release',
          TTL: '',
          NodeChecks: ['serfHealth'],
          ServiceChecks: null,
          CreateIndex: '<index 2>',
          ModifyIndex: '<index 2>',
        },
      ],
      index: '<index 2>',
    }),
  ],
};
