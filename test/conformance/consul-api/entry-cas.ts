import { exchange, type Scenario } from './exchange.js';

export const entryCas: Scenario = {
  name: 'compare-and-set of config entries',
  exchanges: [
    exchange(
      'an index for what is not there answers false',
      'PUT /v1/config?cas=7',
      { status: 200, body: false },
      { body: { Kind: 'service-intentions', Name: 'cas', Sources: [{ Name: 'web', Action: 'allow' }] } },
    ),
    exchange('and writes nothing', 'GET /v1/config/service-intentions/cas', {
      status: 404,
      body: 'Config entry not found for "service-intentions" / "cas"',
      index: '<index 1>',
    }),
    exchange(
      'index 0 creates',
      'PUT /v1/config?cas=0',
      { status: 200, body: true },
      { body: { Kind: 'service-intentions', Name: 'cas', Sources: [{ Name: 'web', Action: 'allow' }] } },
    ),
    exchange(
      'the entry is there',
      'GET /v1/config/service-intentions/cas',
      {
        status: 200,
        body: {
          Kind: 'service-intentions',
          Name: 'cas',
          Sources: [{ Name: 'web', Action: 'allow', Precedence: 9, Type: 'consul' }],
          CreateIndex: '<index 2>',
          ModifyIndex: '<index 2>',
        },
        index: '<index 2>',
      },
      { save: { first: 'ModifyIndex' } },
    ),
    exchange(
      'index 0 does not replace',
      'PUT /v1/config?cas=0',
      { status: 200, body: false },
      { body: { Kind: 'service-intentions', Name: 'cas', Sources: [{ Name: 'batch', Action: 'allow' }] } },
    ),
    exchange(
      'an equal write answers true even with a stale index',
      'PUT /v1/config?cas=5',
      { status: 200, body: true },
      { body: { Kind: 'service-intentions', Name: 'cas', Sources: [{ Name: 'web', Action: 'allow' }] } },
    ),
    exchange(
      'and with index 0',
      'PUT /v1/config?cas=0',
      { status: 200, body: true },
      { body: { Kind: 'service-intentions', Name: 'cas', Sources: [{ Name: 'web', Action: 'allow' }] } },
    ),
    exchange(
      'the right index replaces',
      'PUT /v1/config?cas={{first}}',
      { status: 200, body: true },
      { body: { Kind: 'service-intentions', Name: 'cas', Sources: [{ Name: 'batch', Action: 'allow' }] } },
    ),
    exchange(
      'with a new ModifyIndex',
      'GET /v1/config/service-intentions/cas',
      {
        status: 200,
        body: {
          Kind: 'service-intentions',
          Name: 'cas',
          Sources: [{ Name: 'batch', Action: 'allow', Precedence: 9, Type: 'consul' }],
          CreateIndex: '<index 2>',
          ModifyIndex: '<index 3>',
        },
        index: '<index 3>',
      },
      { save: { second: 'ModifyIndex' } },
    ),
    exchange(
      'the old index is stale now',
      'PUT /v1/config?cas={{first}}',
      { status: 200, body: false },
      { body: { Kind: 'service-intentions', Name: 'cas', Sources: [{ Name: 'web', Action: 'allow' }] } },
    ),
    exchange('and changed nothing', 'GET /v1/config/service-intentions/cas', {
      status: 200,
      body: {
        Kind: 'service-intentions',
        Name: 'cas',
        Sources: [{ Name: 'batch', Action: 'allow', Precedence: 9, Type: 'consul' }],
        CreateIndex: '<index 2>',
        ModifyIndex: '<index 3>',
      },
      index: '<index 3>',
    }),
    exchange(
      'an index that is no number is refused',
      'PUT /v1/config?cas=soon',
      { status: 500, body: 'strconv.ParseUint: parsing "soon": invalid syntax' },
      { body: { Kind: 'service-intentions', Name: 'cas', Sources: [{ Name: 'web', Action: 'allow' }] } },
    ),
    exchange(
      'an empty index is none',
      'PUT /v1/config?cas=',
      { status: 200, body: true },
      { body: { Kind: 'service-intentions', Name: 'cas', Sources: [{ Name: 'third', Action: 'allow' }] } },
    ),
    exchange(
      'the write without index went through',
      'GET /v1/config/service-intentions/cas',
      {
        status: 200,
        body: {
          Kind: 'service-intentions',
          Name: 'cas',
          Sources: [{ Name: 'third', Action: 'allow', Precedence: 9, Type: 'consul' }],
          CreateIndex: '<index 2>',
          ModifyIndex: '<index 4>',
        },
        index: '<index 4>',
      },
      { save: { third: 'ModifyIndex' } },
    ),
    exchange('a stale delete answers false', 'DELETE /v1/config/service-intentions/cas?cas={{first}}', {
      status: 200,
      body: false,
    }),
    exchange('a delete with index 0 answers false', 'DELETE /v1/config/service-intentions/cas?cas=0', {
      status: 200,
      body: false,
    }),
    exchange(
      'a delete with the right index answers true',
      'DELETE /v1/config/service-intentions/cas?cas={{third}}',
      { status: 200, body: true },
    ),
    exchange(
      'a delete of what is gone answers true',
      'DELETE /v1/config/service-intentions/cas?cas={{third}}',
      { status: 200, body: true },
    ),
    exchange('the entry is gone', 'GET /v1/config/service-intentions/cas', {
      status: 404,
      body: 'Config entry not found for "service-intentions" / "cas"',
      index: '<index 5>',
    }),
    exchange('without index a delete answers an empty object', 'DELETE /v1/config/service-intentions/cas', {
      status: 200,
      body: {},
    }),
  ],
};
