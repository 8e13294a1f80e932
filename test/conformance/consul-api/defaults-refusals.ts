import { exchange, type Scenario } from './exchange.js';

export const defaultsRefusals: Scenario = {
  name: 'defaults that Consul refuses',
  exchanges: [
    exchange(
      'service-defaults for everything',
      'PUT /v1/config',
      { status: 500, body: 'service-defaults name must be the name of a service, and not a wildcard' },
      { body: { Kind: 'service-defaults', Name: '*', Protocol: 'http' } },
    ),
    exchange(
      'service-defaults without name',
      'PUT /v1/config',
      { status: 500, body: 'Name is required' },
      { body: { Kind: 'service-defaults', Protocol: 'http' } },
    ),
    exchange(
      'an unknown balance',
      'PUT /v1/config',
      { status: 500, body: '1 error occurred:\n\t* invalid value for balance_inbound_connections: fair\n\n' },
      { body: { Kind: 'service-defaults', Name: 'a', BalanceInboundConnections: 'fair' } },
    ),
    exchange(
      'proxy-defaults of another name',
      'PUT /v1/config',
      { status: 500, body: 'invalid name ("local"), only "global" is supported' },
      { body: { Kind: 'proxy-defaults', Name: 'local', Config: {} } },
    ),
    exchange(
      'proxy-defaults without a name',
      'PUT /v1/config',
      { status: 200, body: true },
      { body: { Kind: 'proxy-defaults', Config: { protocol: 'http' } } },
    ),
    exchange('are the global ones', 'GET /v1/config/proxy-defaults/global', {
      status: 200,
      body: {
        Kind: 'proxy-defaults',
        Name: 'global',
        Config: { protocol: 'http' },
        TransparentProxy: {},
        MeshGateway: {},
        Expose: {},
        CreateIndex: '<index 1>',
        ModifyIndex: '<index 1>',
      },
      index: '<index 1>',
    }),
    exchange(
      'service-defaults with much',
      'PUT /v1/config',
      { status: 200, body: true },
      {
        body: {
          Kind: 'service-defaults',
          Name: 'much',
          Protocol: 'HTTP',
          MaxInboundConnections: 5,
          MeshGateway: { Mode: 'local' },
          Meta: { a: 'b' },
          Expose: {
            Paths: [{ Path: '/health', ListenerPort: 21500, LocalPathPort: 8080, Protocol: 'http' }],
          },
          UpstreamConfig: {
            Defaults: { ConnectTimeoutMs: 500 },
            Overrides: [{ Name: 'db', Protocol: 'tcp' }],
          },
        },
      },
    ),
    exchange('keep it all', 'GET /v1/config/service-defaults/much', {
      status: 200,
      body: {
        Kind: 'service-defaults',
        Name: 'much',
        Protocol: 'http',
        TransparentProxy: {},
        MeshGateway: { Mode: 'local' },
        Expose: { Paths: [{ ListenerPort: 21500, Path: '/health', LocalPathPort: 8080, Protocol: 'http' }] },
        UpstreamConfig: {
          Overrides: [{ Name: 'db', Protocol: 'tcp', MeshGateway: {} }],
          Defaults: { ConnectTimeoutMs: 500, MeshGateway: {} },
        },
        MaxInboundConnections: 5,
        Meta: { a: 'b' },
        CreateIndex: '<index 2>',
        ModifyIndex: '<index 2>',
      },
      index: '<index 2>',
    }),
  ],
};
