import { entryBlockingBeginning } from './entry-blocking-beginning.js';
import { exchange, type Scenario } from './exchange.js';

export const entryBlocking: Scenario = {
  name: 'waiting on config entries',
  exchanges: [
    ...entryBlockingBeginning,
    exchange(
      'an index that is past answers at once',
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
        index: '<index 8>',
        woken: true,
      },
      { blocks: { wait: '5s', index: '1' } },
    ),
    exchange(
      'an index from the future waits and tells the present',
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
        index: '<index 8>',
        woken: false,
      },
      { blocks: { wait: '1s', index: '99999999' } },
    ),
    exchange(
      'index 0 does not wait',
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
        index: '<index 8>',
        woken: true,
      },
      { blocks: { wait: '5s', index: '0' } },
    ),
    exchange('a wait that is none', 'GET /v1/config/service-intentions/late?index=5&wait=soon', {
      status: 400,
      body: 'Invalid wait time',
    }),
    exchange('an index that is none', 'GET /v1/config/service-intentions/late?index=later', {
      status: 400,
      body: 'Invalid index',
    }),
    exchange(
      'stale and consistent exclude each other',
      'GET /v1/config/service-intentions/late?stale&consistent',
      { status: 400, body: 'Cannot specify ?stale with ?consistent, conflicting semantics.' },
    ),
    exchange('consistent', 'GET /v1/config/service-intentions/late?consistent', {
      status: 200,
      body: {
        Kind: 'service-intentions',
        Name: 'late',
        Sources: [{ Name: 'web', Action: 'allow', Precedence: 9, Type: 'consul' }],
        CreateIndex: '<index 6>',
        ModifyIndex: '<index 6>',
      },
      index: '<index 8>',
    }),
    exchange(
      'a match wakes for its service',
      'GET /v1/connect/intentions/match?by=destination&name=late',
      {
        status: 200,
        body: {
          late: [
            {
              SourceNS: 'default',
              SourceName: 'batch',
              DestinationNS: 'default',
              DestinationName: 'late',
              SourceType: 'consul',
              Action: 'allow',
              Precedence: 9,
              CreateIndex: '<index 6>',
              ModifyIndex: '<index 9>',
            },
          ],
        },
        index: '<index 9>',
        consistency: 'leader',
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
                Name: 'late',
                Sources: [{ Name: 'batch', Action: 'allow' }],
              },
            },
          ],
        },
      },
    ),
    exchange(
      'and sleeps through another',
      'GET /v1/connect/intentions/match?by=destination&name=late',
      {
        status: 200,
        body: {
          late: [
            {
              SourceNS: 'default',
              SourceName: 'batch',
              DestinationNS: 'default',
              DestinationName: 'late',
              SourceType: 'consul',
              Action: 'allow',
              Precedence: 9,
              CreateIndex: '<index 6>',
              ModifyIndex: '<index 9>',
            },
          ],
        },
        index: '<index 10>',
        consistency: 'leader',
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
                Sources: [{ Name: 'batch', Action: 'allow' }],
              },
            },
          ],
        },
      },
    ),
  ],
};
