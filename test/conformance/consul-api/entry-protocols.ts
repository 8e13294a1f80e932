import { exchange, type Scenario } from './exchange.js';

export const entryProtocols: Scenario = {
  name: 'L7 intentions and the destination’s protocol',
  exchanges: [
    exchange(
      'a destination of unknown protocol is tcp',
      'PUT /v1/config',
      {
        status: 500,
        body: 'service "api" has protocol "tcp", which is incompatible with L7 intentions permissions',
      },
      {
        body: {
          Kind: 'service-intentions',
          Name: 'api',
          Sources: [{ Name: 'web', Permissions: [{ Action: 'allow', HTTP: { PathPrefix: '/' } }] }],
        },
      },
    ),
    exchange('and the entry was not written', 'GET /v1/config/service-intentions/api', {
      status: 404,
      body: 'Config entry not found for "service-intentions" / "api"',
      index: '<index 1>',
    }),
    exchange(
      'http by proxy-defaults',
      'PUT /v1/config',
      { status: 200, body: true },
      { body: { Kind: 'proxy-defaults', Name: 'global', Config: { protocol: 'http' } } },
    ),
    exchange(
      'carries permissions',
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
    exchange(
      'service-defaults without protocol mean tcp',
      'PUT /v1/config',
      {
        status: 500,
        body: 'service "api" has protocol "tcp", which is incompatible with L7 intentions permissions',
      },
      { body: { Kind: 'service-defaults', Name: 'api' } },
    ),
    exchange('proxy-defaults are needed', 'DELETE /v1/config/proxy-defaults/global', {
      status: 500,
      body: 'service "api" has protocol "tcp", which is incompatible with L7 intentions permissions',
    }),
    exchange(
      'and may not become tcp',
      'PUT /v1/config',
      {
        status: 500,
        body: 'service "api" has protocol "tcp", which is incompatible with L7 intentions permissions',
      },
      { body: { Kind: 'proxy-defaults', Name: 'global', Config: { protocol: 'tcp' } } },
    ),
    exchange(
      'service-defaults of grpc',
      'PUT /v1/config',
      { status: 200, body: true },
      { body: { Kind: 'service-defaults', Name: 'api', Protocol: 'grpc' } },
    ),
    exchange('free the proxy-defaults', 'DELETE /v1/config/proxy-defaults/global', { status: 200, body: {} }),
    exchange(
      'they may not become tcp',
      'PUT /v1/config',
      {
        status: 500,
        body: 'service "api" has protocol "tcp", which is incompatible with L7 intentions permissions',
      },
      { body: { Kind: 'service-defaults', Name: 'api', Protocol: 'tcp' } },
    ),
    exchange('nor go away', 'DELETE /v1/config/service-defaults/api', {
      status: 500,
      body: 'service "api" has protocol "tcp", which is incompatible with L7 intentions permissions',
    }),
    exchange(
      'an unknown protocol',
      'PUT /v1/config',
      {
        status: 500,
        body: 'service "api" has protocol "gopher", which is incompatible with L7 intentions permissions',
      },
      { body: { Kind: 'service-defaults', Name: 'api', Protocol: 'gopher' } },
    ),
    exchange(
      'http2 is one of http',
      'PUT /v1/config',
      { status: 200, body: true },
      { body: { Kind: 'service-defaults', Name: 'api', Protocol: 'http2' } },
    ),
    exchange(
      'an L4 intention leans on nothing',
      'PUT /v1/config',
      { status: 200, body: true },
      { body: { Kind: 'service-intentions', Name: 'api', Sources: [{ Name: 'web', Action: 'allow' }] } },
    ),
    exchange('so the defaults may go', 'DELETE /v1/config/service-defaults/api', { status: 200, body: {} }),
    exchange('and are gone', 'GET /v1/config/service-defaults/api', {
      status: 404,
      body: 'Config entry not found for "service-defaults" / "api"',
      index: '<index 2>',
    }),
  ],
};
