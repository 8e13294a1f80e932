import { type Exchange, exchange } from './exchange.js';

/** The first part of the scenario that entry-blocking ends. */
export const entryBlockingBeginning: readonly Exchange[] = [
  exchange(
    'an entry',
    'PUT /v1/config',
    { status: 200, body: true },
    { body: { Kind: 'service-intentions', Name: 'api', Sources: [{ Name: 'web', Action: 'allow' }] } },
  ),
  exchange(
    'its own change wakes',
    'GET /v1/config/service-intentions/api',
    {
      status: 200,
      body: {
        Kind: 'service-intentions',
        Name: 'api',
        Sources: [
          { Name: 'web', Action: 'allow', Precedence: 9, Type: 'consul' },
          { Name: 'batch', Action: 'allow', Precedence: 9, Type: 'consul' },
        ],
        CreateIndex: '<index 1>',
        ModifyIndex: '<index 2>',
      },
      index: '<index 2>',
      woken: true,
    },
    {
      blocks: {
        wait: '5s',
        meanwhile: [
          {
            method: 'PUT',
            path: '/v1/config',
            body: {
              Kind: 'service-intentions',
              Name: 'api',
              Sources: [
                { Name: 'web', Action: 'allow' },
                { Name: 'batch', Action: 'allow' },
              ],
            },
          },
        ],
      },
    },
  ),
  exchange(
    'an equal write does not',
    'GET /v1/config/service-intentions/api',
    {
      status: 200,
      body: {
        Kind: 'service-intentions',
        Name: 'api',
        Sources: [
          { Name: 'web', Action: 'allow', Precedence: 9, Type: 'consul' },
          { Name: 'batch', Action: 'allow', Precedence: 9, Type: 'consul' },
        ],
        CreateIndex: '<index 1>',
        ModifyIndex: '<index 2>',
      },
      index: '<index 2>',
      woken: false,
    },
    {
      blocks: {
        wait: '1s',
        meanwhile: [
          {
            method: 'PUT',
            path: '/v1/config',
            body: {
              Kind: 'service-intentions',
              Name: 'api',
              Sources: [
                { Name: 'web', Action: 'allow' },
                { Name: 'batch', Action: 'allow' },
              ],
            },
          },
        ],
      },
    },
  ),
  exchange(
    'the list wakes for another entry of its kind',
    'GET /v1/config/service-intentions',
    {
      status: 200,
      body: [
        {
          Kind: 'service-intentions',
          Name: 'api',
          Sources: [
            { Name: 'web', Action: 'allow', Precedence: 9, Type: 'consul' },
            { Name: 'batch', Action: 'allow', Precedence: 9, Type: 'consul' },
          ],
          CreateIndex: '<index 1>',
          ModifyIndex: '<index 2>',
        },
        {
          Kind: 'service-intentions',
          Name: 'other',
          Sources: [{ Name: 'web', Action: 'allow', Precedence: 9, Type: 'consul' }],
          CreateIndex: '<index 3>',
          ModifyIndex: '<index 3>',
        },
      ],
      index: '<index 3>',
      woken: true,
    },
    {
      blocks: {
        wait: '5s',
        meanwhile: [
          {
            method: 'PUT',
            path: '/v1/config',
            body: { Kind: 'service-intentions', Name: 'other', Sources: [{ Name: 'web', Action: 'allow' }] },
          },
        ],
      },
    },
  ),
  exchange(
    'the list sleeps through another kind',
    'GET /v1/config/service-intentions',
    {
      status: 200,
      body: [
        {
          Kind: 'service-intentions',
          Name: 'api',
          Sources: [
            { Name: 'web', Action: 'allow', Precedence: 9, Type: 'consul' },
            { Name: 'batch', Action: 'allow', Precedence: 9, Type: 'consul' },
          ],
          CreateIndex: '<index 1>',
          ModifyIndex: '<index 2>',
        },
        {
          Kind: 'service-intentions',
          Name: 'other',
          Sources: [{ Name: 'web', Action: 'allow', Precedence: 9, Type: 'consul' }],
          CreateIndex: '<index 3>',
          ModifyIndex: '<index 3>',
        },
      ],
      index: '<index 4>',
      woken: false,
    },
    {
      blocks: {
        wait: '1s',
        meanwhile: [
          {
            method: 'PUT',
            path: '/v1/config',
            body: { Kind: 'service-defaults', Name: 'zebra', Protocol: 'http' },
          },
        ],
      },
    },
  ),
  exchange(
    'the intentions list sleeps through another kind',
    'GET /v1/connect/intentions',
    {
      status: 200,
      body: [
        {
          SourceNS: 'default',
          SourceName: 'batch',
          DestinationNS: 'default',
          DestinationName: 'api',
          SourceType: 'consul',
          Action: 'allow',
          Precedence: 9,
          CreateIndex: '<index 1>',
          ModifyIndex: '<index 2>',
        },
        {
          SourceNS: 'default',
          SourceName: 'web',
          DestinationNS: 'default',
          DestinationName: 'api',
          SourceType: 'consul',
          Action: 'allow',
          Precedence: 9,
          CreateIndex: '<index 1>',
          ModifyIndex: '<index 2>',
        },
        {
          SourceNS: 'default',
          SourceName: 'web',
          DestinationNS: 'default',
          DestinationName: 'other',
          SourceType: 'consul',
          Action: 'allow',
          Precedence: 9,
          CreateIndex: '<index 3>',
          ModifyIndex: '<index 3>',
        },
      ],
      index: '<index 4>',
      woken: false,
    },
    {
      blocks: {
        wait: '1s',
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
    'a deletion wakes',
    'GET /v1/config/service-intentions/other',
    {
      status: 404,
      body: 'Config entry not found for "service-intentions" / "other"',
      index: '<index 5>',
      woken: true,
    },
    {
      blocks: { wait: '5s', meanwhile: [{ method: 'DELETE', path: '/v1/config/service-intentions/other' }] },
    },
  ),
  exchange(
    'a missing entry wakes when it comes',
    'GET /v1/config/service-intentions/late',
    {
      status: 200,
      body: {
        Kind: 'service-intentions',
        Name: 'late',
        Sources: [{ Name: 'web', Action: 'allow', Precedence: 9, Type: 'consul' }],
        CreateIndex: '<index 6>',
        ModifyIndex: '<index 6>',
      },
      index: '<index 6>',
      woken: true,
    },
    {
      blocks: {
        wait: '5s',
        meanwhile: [
          {
            method: 'PUT',
            path: '/v1/config',
            body: { Kind: 'service-intentions', Name: 'late', Sources: [{ Name: 'web', Action: 'allow' }] },
          },
        ],
      },
    },
  ),
  exchange(
    'a missing entry sleeps through others',
    'GET /v1/config/service-intentions/never',
    {
      status: 404,
      body: 'Config entry not found for "service-intentions" / "never"',
      index: '<index 7>',
      woken: false,
    },
    {
      blocks: {
        wait: '1s',
        meanwhile: [
          {
            method: 'PUT',
            path: '/v1/config',
            body: { Kind: 'service-intentions', Name: 'later', Sources: [{ Name: 'web', Action: 'allow' }] },
          },
        ],
      },
    },
  ),
  exchange(
    'an empty list sleeps through other kinds',
    'GET /v1/config/proxy-defaults',
    { status: 200, body: [], index: '<index 8>', woken: false },
    {
      blocks: {
        wait: '1s',
        meanwhile: [
          {
            method: 'PUT',
            path: '/v1/config',
            body: { Kind: 'service-defaults', Name: 'ox', Protocol: 'http' },
          },
        ],
      },
    },
  ),
];
