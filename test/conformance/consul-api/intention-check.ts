import { exchange, type Scenario } from './exchange.js';

export const intentionCheck: Scenario = {
  name: 'the intention check',
  exchanges: [
    exchange(
      'nothing matches: the default denies',
      'GET /v1/connect/intentions/check?source=web&destination=api',
      { status: 200, body: { Allowed: false } },
    ),
    exchange(
      'allowed',
      'PUT /v1/config',
      { status: 200, body: true },
      {
        body: {
          Kind: 'service-intentions',
          Name: 'api',
          Sources: [
            { Name: 'web', Action: 'allow' },
            { Name: '*', Action: 'deny' },
          ],
        },
      },
    ),
    exchange('says so', 'GET /v1/connect/intentions/check?source=web&destination=api', {
      status: 200,
      body: { Allowed: true },
    }),
    exchange(
      'another source meets the wildcard',
      'GET /v1/connect/intentions/check?source=batch&destination=api',
      { status: 200, body: { Allowed: false } },
    ),
    exchange(
      'everything may call everything',
      'PUT /v1/config',
      { status: 200, body: true },
      { body: { Kind: 'service-intentions', Name: '*', Sources: [{ Name: '*', Action: 'allow' }] } },
    ),
    exchange(
      'so what nothing else denies is allowed',
      'GET /v1/connect/intentions/check?source=batch&destination=db',
      { status: 200, body: { Allowed: true } },
    ),
    exchange(
      'but the more exact denial stays',
      'GET /v1/connect/intentions/check?source=batch&destination=api',
      { status: 200, body: { Allowed: false } },
    ),
    exchange(
      'http',
      'PUT /v1/config',
      { status: 200, body: true },
      { body: { Kind: 'service-defaults', Name: 'api', Protocol: 'http' } },
    ),
    exchange(
      'an L7 intention',
      'PUT /v1/config',
      { status: 200, body: true },
      {
        body: {
          Kind: 'service-intentions',
          Name: 'api',
          Sources: [{ Name: 'web', Permissions: [{ Action: 'allow', HTTP: { PathPrefix: '/' } }] }],
        },
      },
    ),
    exchange('never counts as allowed', 'GET /v1/connect/intentions/check?source=web&destination=api', {
      status: 200,
      body: { Allowed: false },
    }),
    exchange('no source', 'GET /v1/connect/intentions/check?destination=api', {
      status: 500,
      body: "required query parameter 'source' not set",
    }),
    exchange('no destination', 'GET /v1/connect/intentions/check?source=web', {
      status: 500,
      body: "required query parameter 'destination' not set",
    }),
    exchange(
      'another source type',
      'GET /v1/connect/intentions/check?source=web&destination=api&source-type=moon',
      { status: 500, body: 'unsupported SourceType: "moon"' },
    ),
  ],
};
