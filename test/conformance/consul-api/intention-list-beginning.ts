import { type Exchange, exchange } from './exchange.js';

/** The first part of the scenario that intention-list ends. */
export const intentionListBeginning: readonly Exchange[] = [
  exchange('an empty one', 'GET /v1/connect/intentions', { status: 200, body: [], index: '<index 1>' }),
  exchange(
    'an empty one wakes for any config entry',
    'GET /v1/connect/intentions',
    { status: 200, body: [], index: '<index 2>', woken: true },
    {
      blocks: {
        wait: '5s',
        meanwhile: [
          {
            method: 'PUT',
            path: '/v1/config',
            body: { Kind: 'service-defaults', Name: 'yak', Protocol: 'http' },
          },
        ],
      },
    },
  ),
  exchange(
    'an entry with Meta',
    'PUT /v1/config',
    { status: 200, body: true },
    {
      body: {
        Kind: 'service-intentions',
        Name: 'api',
        Sources: [
          { Name: 'web', Action: 'allow', Description: 'x' },
          { Name: '*', Action: 'deny' },
        ],
        Meta: { a: 'b' },
      },
    },
  ),
  exchange(
    'one with permissions is refused on tcp',
    'PUT /v1/config',
    {
      status: 500,
      body: 'service "db" has protocol "tcp", which is incompatible with L7 intentions permissions',
    },
    {
      body: {
        Kind: 'service-intentions',
        Name: 'db',
        Sources: [{ Name: 'web', Permissions: [{ Action: 'allow', HTTP: { PathPrefix: '/' } }] }],
      },
    },
  ),
  exchange(
    'http for it',
    'PUT /v1/config',
    { status: 200, body: true },
    { body: { Kind: 'service-defaults', Name: 'db', Protocol: 'http' } },
  ),
  exchange(
    'and then not',
    'PUT /v1/config',
    { status: 200, body: true },
    {
      body: {
        Kind: 'service-intentions',
        Name: 'db',
        Sources: [{ Name: 'web', Permissions: [{ Action: 'allow', HTTP: { PathPrefix: '/' } }] }],
      },
    },
  ),
  exchange(
    'one for every destination',
    'PUT /v1/config',
    { status: 200, body: true },
    {
      body: {
        Kind: 'service-intentions',
        Name: '*',
        Sources: [
          { Name: '*', Action: 'deny' },
          { Name: 'monitor', Action: 'allow' },
        ],
      },
    },
  ),
  exchange('all, the most exact first, then by names', 'GET /v1/connect/intentions', {
    status: 200,
    body: [
      {
        Description: 'x',
        SourceNS: 'default',
        SourceName: 'web',
        DestinationNS: 'default',
        DestinationName: 'api',
        SourceType: 'consul',
        Action: 'allow',
        Meta: { a: 'b' },
        Precedence: 9,
        CreateIndex: '<index 3>',
        ModifyIndex: '<index 3>',
      },
      {
        SourceNS: 'default',
        SourceName: 'web',
        DestinationNS: 'default',
        DestinationName: 'db',
        SourceType: 'consul',
        Permissions: [{ Action: 'allow', HTTP: { PathPrefix: '/' } }],
        Precedence: 9,
        CreateIndex: '<index 4>',
        ModifyIndex: '<index 4>',
      },
      {
        SourceNS: 'default',
        SourceName: '*',
        DestinationNS: 'default',
        DestinationName: 'api',
        SourceType: 'consul',
        Action: 'deny',
        Meta: { a: 'b' },
        Precedence: 8,
        CreateIndex: '<index 3>',
        ModifyIndex: '<index 3>',
      },
      {
        SourceNS: 'default',
        SourceName: 'monitor',
        DestinationNS: 'default',
        DestinationName: '*',
        SourceType: 'consul',
        Action: 'allow',
        Precedence: 6,
        CreateIndex: '<index 5>',
        ModifyIndex: '<index 5>',
      },
      {
        SourceNS: 'default',
        SourceName: '*',
        DestinationNS: 'default',
        DestinationName: '*',
        SourceType: 'consul',
        Action: 'deny',
        Precedence: 5,
        CreateIndex: '<index 5>',
        ModifyIndex: '<index 5>',
      },
    ],
    index: '<index 5>',
  }),
];
