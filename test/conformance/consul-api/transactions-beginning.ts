import { type Exchange, exchange } from './exchange.js';

/** The first part of the scenario that transactions ends. */
export const transactionsBeginning: readonly Exchange[] = [
  exchange(
    'several writes at once',
    'PUT /v1/txn',
    {
      status: 200,
      body: {
        Results: [
          {
            KV: {
              LockIndex: 0,
              Key: 't/a',
              Flags: 3,
              Value: null,
              CreateIndex: '<index 1>',
              ModifyIndex: '<index 1>',
            },
          },
          {
            KV: {
              LockIndex: 0,
              Key: 't/b',
              Flags: 0,
              Value: null,
              CreateIndex: '<index 1>',
              ModifyIndex: '<index 1>',
            },
          },
        ],
        Errors: null,
      },
    },
    {
      body: [
        { KV: { Verb: 'set', Key: 't/a', Value: 'MQ==', Flags: 3 } },
        { KV: { Verb: 'set', Key: 't/b', Value: 'Mg==' } },
      ],
    },
  ),
  exchange(
    'carry one index',
    'GET /v1/kv/t/?recurse',
    {
      status: 200,
      body: [
        {
          LockIndex: 0,
          Key: 't/a',
          Flags: 3,
          Value: 'MQ==',
          CreateIndex: '<index 1>',
          ModifyIndex: '<index 1>',
        },
        {
          LockIndex: 0,
          Key: 't/b',
          Flags: 0,
          Value: 'Mg==',
          CreateIndex: '<index 1>',
          ModifyIndex: '<index 1>',
        },
      ],
      index: '<index 1>',
    },
    { save: { index: '0.ModifyIndex' } },
  ),
  exchange(
    'reads give the values',
    'PUT /v1/txn',
    {
      status: 200,
      body: {
        Results: [
          {
            KV: {
              LockIndex: 0,
              Key: 't/a',
              Flags: 3,
              Value: 'MQ==',
              CreateIndex: '<index 1>',
              ModifyIndex: '<index 1>',
            },
          },
          {
            KV: {
              LockIndex: 0,
              Key: 't/a',
              Flags: 3,
              Value: 'MQ==',
              CreateIndex: '<index 1>',
              ModifyIndex: '<index 1>',
            },
          },
          {
            KV: {
              LockIndex: 0,
              Key: 't/b',
              Flags: 0,
              Value: 'Mg==',
              CreateIndex: '<index 1>',
              ModifyIndex: '<index 1>',
            },
          },
        ],
        Errors: null,
        Index: '1',
        LastContact: 0,
        KnownLeader: true,
        ConsistencyLevel: '',
        NotModified: false,
        Backend: 0,
        ResultsFilteredByACLs: false,
      },
    },
    { body: [{ KV: { Verb: 'get', Key: 't/a' } }, { KV: { Verb: 'get-tree', Key: 't/' } }] },
  ),
  exchange(
    'one that fails undoes all',
    'PUT /v1/txn',
    { status: 409, body: { Results: null, Errors: [{ OpIndex: 1, What: 'key "t/none" doesn\'t exist' }] } },
    { body: [{ KV: { Verb: 'set', Key: 't/a', Value: 'OQ==' } }, { KV: { Verb: 'get', Key: 't/none' } }] },
  ),
  exchange('nothing was written', 'GET /v1/kv/t/a', {
    status: 200,
    body: [
      {
        LockIndex: 0,
        Key: 't/a',
        Flags: 3,
        Value: 'MQ==',
        CreateIndex: '<index 1>',
        ModifyIndex: '<index 1>',
      },
    ],
    index: '<index 1>',
  }),
  exchange(
    'cas with the right index',
    'PUT /v1/txn',
    {
      status: 200,
      body: {
        Results: [
          {
            KV: {
              LockIndex: 0,
              Key: 't/c',
              Flags: 0,
              Value: null,
              CreateIndex: '<index 2>',
              ModifyIndex: '<index 2>',
            },
          },
        ],
        Errors: null,
      },
    },
    {
      body: [
        { KV: { Verb: 'check-not-exists', Key: 't/c' } },
        { KV: { Verb: 'cas', Key: 't/c', Value: 'Mw==', Index: 0 } },
      ],
    },
  ),
  exchange(
    'cas with a stale one',
    'PUT /v1/txn',
    {
      status: 409,
      body: { Results: null, Errors: [{ OpIndex: 0, What: 'failed to set key "t/c", index is stale' }] },
    },
    { body: [{ KV: { Verb: 'cas', Key: 't/c', Value: 'NA==', Index: 1 } }] },
  ),
  exchange(
    'check-not-exists of what is there',
    'PUT /v1/txn',
    {
      status: 409,
      body: {
        Results: null,
        Errors: [{ OpIndex: 0, What: 'key "t/c" exists' }],
        Index: '1',
        LastContact: 0,
        KnownLeader: true,
        ConsistencyLevel: '',
        NotModified: false,
        Backend: 0,
        ResultsFilteredByACLs: false,
      },
    },
    { body: [{ KV: { Verb: 'check-not-exists', Key: 't/c' } }] },
  ),
  exchange(
    'a session',
    'PUT /v1/session/create',
    { status: 200, body: { ID: '<uuid 1>' } },
    { body: { LockDelay: '0s' }, save: { s: 'ID' } },
  ),
  exchange(
    'a lock',
    'PUT /v1/txn',
    {
      status: 200,
      body: {
        Results: [
          {
            KV: {
              LockIndex: 1,
              Key: 't/lock',
              Flags: 0,
              Value: null,
              Session: '<uuid 1>',
              CreateIndex: '<index 3>',
              ModifyIndex: '<index 3>',
            },
          },
        ],
        Errors: null,
      },
    },
    { body: [{ KV: { Verb: 'lock', Key: 't/lock', Value: 'MQ==', Session: '{{s}}' } }] },
  ),
  exchange(
    'a fenced write',
    'PUT /v1/txn',
    {
      status: 200,
      body: {
        Results: [
          {
            KV: {
              LockIndex: 1,
              Key: 't/lock',
              Flags: 0,
              Value: null,
              Session: '<uuid 1>',
              CreateIndex: '<index 3>',
              ModifyIndex: '<index 3>',
            },
          },
          {
            KV: {
              LockIndex: 0,
              Key: 't/d',
              Flags: 0,
              Value: null,
              CreateIndex: '<index 4>',
              ModifyIndex: '<index 4>',
            },
          },
        ],
        Errors: null,
      },
    },
    {
      body: [
        { KV: { Verb: 'check-session', Key: 't/lock', Session: '{{s}}' } },
        { KV: { Verb: 'set', Key: 't/d', Value: 'NQ==' } },
      ],
    },
  ),
  exchange(
    'an unlock',
    'PUT /v1/txn',
    {
      status: 200,
      body: {
        Results: [
          {
            KV: {
              LockIndex: 1,
              Key: 't/lock',
              Flags: 0,
              Value: null,
              CreateIndex: '<index 3>',
              ModifyIndex: '<index 5>',
            },
          },
        ],
        Errors: null,
      },
    },
    { body: [{ KV: { Verb: 'unlock', Key: 't/lock', Value: 'MQ==', Session: '{{s}}' } }] },
  ),
  exchange(
    'a fenced write after the loss',
    'PUT /v1/txn',
    {
      status: 409,
      body: {
        Results: null,
        Errors: [
          { OpIndex: 0, What: 'failed session check for key "t/lock", current session "" != "<uuid 1>"' },
        ],
      },
    },
    {
      body: [
        { KV: { Verb: 'check-session', Key: 't/lock', Session: '{{s}}' } },
        { KV: { Verb: 'set', Key: 't/d', Value: 'Ng==' } },
      ],
    },
  ),
];
