import { exchange, type Scenario } from './exchange.js';

export const intentionExact: Scenario = {
  name: 'exact intentions',
  exchanges: [
    exchange(
      'a new one creates the entry',
      'PUT /v1/connect/intentions/exact?source=web&destination=api',
      { status: 200, body: true },
      { body: { Action: 'allow', Description: 'one' } },
    ),
    exchange('with one source', 'GET /v1/config/service-intentions/api', {
      status: 200,
      body: {
        Kind: 'service-intentions',
        Name: 'api',
        Sources: [{ Name: 'web', Action: 'allow', Precedence: 9, Type: 'consul', Description: 'one' }],
        CreateIndex: '<index 1>',
        ModifyIndex: '<index 1>',
      },
      index: '<index 1>',
    }),
    exchange(
      'a second joins it',
      'PUT /v1/connect/intentions/exact?source=batch&destination=api',
      { status: 200, body: true },
      { body: { Action: 'deny' } },
    ),
    exchange('behind the first', 'GET /v1/config/service-intentions/api', {
      status: 200,
      body: {
        Kind: 'service-intentions',
        Name: 'api',
        Sources: [
          { Name: 'web', Action: 'allow', Precedence: 9, Type: 'consul', Description: 'one' },
          { Name: 'batch', Action: 'deny', Precedence: 9, Type: 'consul' },
        ],
        CreateIndex: '<index 1>',
        ModifyIndex: '<index 2>',
      },
      index: '<index 2>',
    }),
    exchange(
      'a known one is replaced, its description lost',
      'PUT /v1/connect/intentions/exact?source=web&destination=api',
      { status: 200, body: true },
      { body: { Action: 'deny' } },
    ),
    exchange('in place', 'GET /v1/connect/intentions/exact?source=web&destination=api', {
      status: 200,
      body: {
        SourceNS: 'default',
        SourceName: 'web',
        DestinationNS: 'default',
        DestinationName: 'api',
        SourceType: 'consul',
        Action: 'deny',
        Precedence: 9,
        CreateIndex: '<index 1>',
        ModifyIndex: '<index 3>',
      },
    }),
    exchange(
      'it ignores cas',
      'PUT /v1/connect/intentions/exact?source=web&destination=api&cas=1',
      { status: 200, body: true },
      { body: { Action: 'allow' } },
    ),
    exchange('it was written', 'GET /v1/connect/intentions/exact?source=web&destination=api', {
      status: 200,
      body: {
        SourceNS: 'default',
        SourceName: 'web',
        DestinationNS: 'default',
        DestinationName: 'api',
        SourceType: 'consul',
        Action: 'allow',
        Precedence: 9,
        CreateIndex: '<index 1>',
        ModifyIndex: '<index 4>',
      },
    }),
    exchange('another is not found', 'GET /v1/connect/intentions/exact?source=moon&destination=api', {
      status: 404,
      body: 'Intention not found',
    }),
    exchange('no destination given', 'GET /v1/connect/intentions/exact?source=moon', {
      status: 500,
      body: "required query parameter 'destination' not set",
    }),
    exchange(
      'no source given',
      'PUT /v1/connect/intentions/exact?destination=api',
      { status: 500, body: "required query parameter 'source' not set" },
      { body: { Action: 'allow' } },
    ),
    exchange(
      'no action',
      'PUT /v1/connect/intentions/exact?source=x&destination=api',
      { status: 500, body: "Sources[2].Action must be set to 'allow' or 'deny'" },
      { body: {} },
    ),
    exchange(
      'an unknown field',
      'PUT /v1/connect/intentions/exact?source=x&destination=api',
      { status: 400, body: 'Request decode failed: json: unknown field "Colour"' },
      { body: { Colour: 1 } },
    ),
    exchange(
      'Meta of its own',
      'PUT /v1/connect/intentions/exact?source=x&destination=new',
      { status: 500, body: 'Meta must not be specified' },
      { body: { Action: 'allow', Meta: { a: 'b' } } },
    ),
    exchange(
      'an entry with Meta',
      'PUT /v1/config',
      { status: 200, body: true },
      {
        body: {
          Kind: 'service-intentions',
          Name: 'meta',
          Sources: [{ Name: 'web', Action: 'allow' }],
          Meta: { a: 'b' },
        },
      },
    ),
    exchange(
      'its own Meta may come back',
      'PUT /v1/connect/intentions/exact?source=web&destination=meta',
      { status: 200, body: true },
      { body: { Action: 'deny', Meta: { a: 'b' } } },
    ),
    exchange(
      'another may not',
      'PUT /v1/connect/intentions/exact?source=web&destination=meta',
      { status: 500, body: 'Meta must not be specified, or should be unchanged during an update.' },
      { body: { Action: 'deny', Meta: { a: 'c' } } },
    ),
    exchange('the entry keeps its Meta', 'GET /v1/config/service-intentions/meta', {
      status: 200,
      body: {
        Kind: 'service-intentions',
        Name: 'meta',
        Sources: [{ Name: 'web', Action: 'deny', Precedence: 9, Type: 'consul' }],
        Meta: { a: 'b' },
        CreateIndex: '<index 5>',
        ModifyIndex: '<index 6>',
      },
      index: '<index 6>',
    }),
    exchange('a delete', 'DELETE /v1/connect/intentions/exact?source=batch&destination=api', {
      status: 200,
      body: true,
    }),
    exchange('a repeated delete', 'DELETE /v1/connect/intentions/exact?source=batch&destination=api', {
      status: 200,
      body: true,
    }),
    exchange('leaves the other', 'GET /v1/config/service-intentions/api', {
      status: 200,
      body: {
        Kind: 'service-intentions',
        Name: 'api',
        Sources: [{ Name: 'web', Action: 'allow', Precedence: 9, Type: 'consul' }],
        CreateIndex: '<index 1>',
        ModifyIndex: '<index 7>',
      },
      index: '<index 7>',
    }),
    exchange('the last source', 'DELETE /v1/connect/intentions/exact?source=web&destination=api', {
      status: 200,
      body: true,
    }),
    exchange('takes its entry along', 'GET /v1/config/service-intentions/api', {
      status: 404,
      body: 'Config entry not found for "service-intentions" / "api"',
      index: '<index 8>',
    }),
  ],
};
