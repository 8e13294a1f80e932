import { exchange, type Scenario } from './exchange.js';

export const entryNames: Scenario = {
  name: 'names of entries meet case-insensitively',
  exchanges: [
    exchange(
      'a name with a capital',
      'PUT /v1/config',
      { status: 200, body: true },
      { body: { Kind: 'service-intentions', Name: 'Case', Sources: [{ Name: 'web', Action: 'allow' }] } },
    ),
    exchange('is found in lower case', 'GET /v1/config/service-intentions/case', {
      status: 200,
      body: {
        Kind: 'service-intentions',
        Name: 'Case',
        Sources: [{ Name: 'web', Action: 'allow', Precedence: 9, Type: 'consul' }],
        CreateIndex: '<index 1>',
        ModifyIndex: '<index 1>',
      },
      index: '<index 1>',
    }),
    exchange(
      'a name in lower case replaces it',
      'PUT /v1/config',
      { status: 200, body: true },
      { body: { Kind: 'service-intentions', Name: 'case', Sources: [{ Name: 'batch', Action: 'allow' }] } },
    ),
    exchange('so that one entry remains', 'GET /v1/config/service-intentions', {
      status: 200,
      body: [
        {
          Kind: 'service-intentions',
          Name: 'case',
          Sources: [{ Name: 'batch', Action: 'allow', Precedence: 9, Type: 'consul' }],
          CreateIndex: '<index 1>',
          ModifyIndex: '<index 2>',
        },
      ],
      index: '<index 2>',
    }),
    exchange(
      'sources are told apart by case',
      'PUT /v1/config',
      { status: 200, body: true },
      {
        body: {
          Kind: 'service-intentions',
          Name: 'case',
          Sources: [
            { Name: 'batch', Action: 'allow' },
            { Name: 'Batch', Action: 'allow' },
          ],
        },
      },
    ),
    exchange('both stay', 'GET /v1/config/service-intentions/CASE', {
      status: 200,
      body: {
        Kind: 'service-intentions',
        Name: 'case',
        Sources: [
          { Name: 'batch', Action: 'allow', Precedence: 9, Type: 'consul' },
          { Name: 'Batch', Action: 'allow', Precedence: 9, Type: 'consul' },
        ],
        CreateIndex: '<index 1>',
        ModifyIndex: '<index 3>',
      },
      index: '<index 3>',
    }),
  ],
};
