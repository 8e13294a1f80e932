import { exchange, type Scenario } from './exchange.js';

export const entryWrites: Scenario = {
  name: 'an intentions entry is written, read and rewritten',
  exchanges: [
    exchange(
      'a new entry answers true',
      'PUT /v1/config',
      { status: 200, body: true },
      {
        body: {
          Kind: 'service-intentions',
          Name: 'api',
          Sources: [
            { Name: '*', Action: 'deny' },
            { Name: 'web', Action: 'allow', Description: 'from the shop' },
          ],
        },
      },
    ),
    exchange(
      'it reads back normalised, the most exact source first',
      'GET /v1/config/service-intentions/api',
      {
        status: 200,
        body: {
          Kind: 'service-intentions',
          Name: 'api',
          Sources: [
            { Name: 'web', Action: 'allow', Precedence: 9, Type: 'consul', Description: 'from the shop' },
            { Name: '*', Action: 'deny', Precedence: 8, Type: 'consul' },
          ],
          CreateIndex: '<index 1>',
          ModifyIndex: '<index 1>',
        },
        index: '<index 1>',
      },
    ),
    exchange(
      'an equal write answers true',
      'PUT /v1/config',
      { status: 200, body: true },
      {
        body: {
          Kind: 'service-intentions',
          Name: 'api',
          Sources: [
            { Name: '*', Action: 'deny' },
            { Name: 'web', Action: 'allow', Description: 'from the shop' },
          ],
        },
      },
    ),
    exchange('an equal write leaves ModifyIndex alone', 'GET /v1/config/service-intentions/api', {
      status: 200,
      body: {
        Kind: 'service-intentions',
        Name: 'api',
        Sources: [
          { Name: 'web', Action: 'allow', Precedence: 9, Type: 'consul', Description: 'from the shop' },
          { Name: '*', Action: 'deny', Precedence: 8, Type: 'consul' },
        ],
        CreateIndex: '<index 1>',
        ModifyIndex: '<index 1>',
      },
      index: '<index 1>',
    }),
    exchange(
      'a reordering that normalises to the same is no change',
      'PUT /v1/config',
      { status: 200, body: true },
      {
        body: {
          Kind: 'service-intentions',
          Name: 'api',
          Sources: [
            { Name: 'web', Action: 'allow', Description: 'from the shop' },
            { Name: '*', Action: 'deny' },
          ],
        },
      },
    ),
    exchange('and leaves ModifyIndex alone too', 'GET /v1/config/service-intentions/api', {
      status: 200,
      body: {
        Kind: 'service-intentions',
        Name: 'api',
        Sources: [
          { Name: 'web', Action: 'allow', Precedence: 9, Type: 'consul', Description: 'from the shop' },
          { Name: '*', Action: 'deny', Precedence: 8, Type: 'consul' },
        ],
        CreateIndex: '<index 1>',
        ModifyIndex: '<index 1>',
      },
      index: '<index 1>',
    }),
    exchange(
      'another source of equal precedence is appended',
      'PUT /v1/config',
      { status: 200, body: true },
      {
        body: {
          Kind: 'service-intentions',
          Name: 'api',
          Sources: [
            { Name: 'web', Action: 'allow', Description: 'from the shop' },
            { Name: 'batch', Action: 'allow' },
            { Name: '*', Action: 'deny' },
          ],
        },
      },
    ),
    exchange('the entry now has a new ModifyIndex', 'GET /v1/config/service-intentions/api', {
      status: 200,
      body: {
        Kind: 'service-intentions',
        Name: 'api',
        Sources: [
          { Name: 'web', Action: 'allow', Precedence: 9, Type: 'consul', Description: 'from the shop' },
          { Name: 'batch', Action: 'allow', Precedence: 9, Type: 'consul' },
          { Name: '*', Action: 'deny', Precedence: 8, Type: 'consul' },
        ],
        CreateIndex: '<index 1>',
        ModifyIndex: '<index 2>',
      },
      index: '<index 2>',
    }),
    exchange(
      'swapping sources of equal precedence is a change',
      'PUT /v1/config',
      { status: 200, body: true },
      {
        body: {
          Kind: 'service-intentions',
          Name: 'api',
          Sources: [
            { Name: 'batch', Action: 'allow' },
            { Name: 'web', Action: 'allow', Description: 'from the shop' },
            { Name: '*', Action: 'deny' },
          ],
        },
      },
    ),
    exchange('which shows in ModifyIndex and order', 'GET /v1/config/service-intentions/api', {
      status: 200,
      body: {
        Kind: 'service-intentions',
        Name: 'api',
        Sources: [
          { Name: 'batch', Action: 'allow', Precedence: 9, Type: 'consul' },
          { Name: 'web', Action: 'allow', Precedence: 9, Type: 'consul', Description: 'from the shop' },
          { Name: '*', Action: 'deny', Precedence: 8, Type: 'consul' },
        ],
        CreateIndex: '<index 1>',
        ModifyIndex: '<index 3>',
      },
      index: '<index 3>',
    }),
    exchange(
      'fields the server owns are ignored',
      'PUT /v1/config',
      { status: 200, body: true },
      {
        body: {
          Kind: 'service-intentions',
          Name: 'api',
          Sources: [{ Name: 'batch', Action: 'allow', Precedence: 3, Type: 'consul' }],
          CreateIndex: 3,
          ModifyIndex: 4,
        },
      },
    ),
    exchange('and computed anew', 'GET /v1/config/service-intentions/api', {
      status: 200,
      body: {
        Kind: 'service-intentions',
        Name: 'api',
        Sources: [{ Name: 'batch', Action: 'allow', Precedence: 9, Type: 'consul' }],
        CreateIndex: '<index 1>',
        ModifyIndex: '<index 4>',
      },
      index: '<index 4>',
    }),
    exchange(
      'Meta is kept',
      'PUT /v1/config',
      { status: 200, body: true },
      {
        body: {
          Kind: 'service-intentions',
          Name: 'api',
          Sources: [{ Name: 'batch', Action: 'allow' }],
          Meta: { owner: 'payments', 'external-source': 'kubernetes' },
        },
      },
    ),
    exchange('and read', 'GET /v1/config/service-intentions/api', {
      status: 200,
      body: {
        Kind: 'service-intentions',
        Name: 'api',
        Sources: [{ Name: 'batch', Action: 'allow', Precedence: 9, Type: 'consul' }],
        Meta: { 'external-source': 'kubernetes', owner: 'payments' },
        CreateIndex: '<index 1>',
        ModifyIndex: '<index 5>',
      },
      index: '<index 5>',
    }),
    exchange(
      'snake_case and lower-case keys are understood',
      'PUT /v1/config',
      { status: 200, body: true },
      {
        body: {
          kind: 'service-intentions',
          name: 'snake',
          sources: [{ name: 'web', action: 'allow', description: 'd' }],
        },
      },
    ),
    exchange('and read in Consul’s spelling', 'GET /v1/config/service-intentions/snake', {
      status: 200,
      body: {
        Kind: 'service-intentions',
        Name: 'snake',
        Sources: [{ Name: 'web', Action: 'allow', Precedence: 9, Type: 'consul', Description: 'd' }],
        CreateIndex: '<index 6>',
        ModifyIndex: '<index 6>',
      },
      index: '<index 6>',
    }),
    exchange(
      'numbers stand for strings',
      'PUT /v1/config',
      { status: 200, body: true },
      {
        body: {
          Kind: 'service-intentions',
          Name: 'numbers',
          Sources: [{ Name: 'web', Action: 'allow', Description: 7 }],
        },
      },
    ),
    exchange('as text', 'GET /v1/config/service-intentions/numbers', {
      status: 200,
      body: {
        Kind: 'service-intentions',
        Name: 'numbers',
        Sources: [{ Name: 'web', Action: 'allow', Precedence: 9, Type: 'consul', Description: '7' }],
        CreateIndex: '<index 7>',
        ModifyIndex: '<index 7>',
      },
      index: '<index 7>',
    }),
    exchange(
      'one source need not be a list',
      'PUT /v1/config',
      { status: 200, body: true },
      { body: { Kind: 'service-intentions', Name: 'single', Sources: { Name: 'web', Action: 'allow' } } },
    ),
    exchange('it becomes one', 'GET /v1/config/service-intentions/single', {
      status: 200,
      body: {
        Kind: 'service-intentions',
        Name: 'single',
        Sources: [{ Name: 'web', Action: 'allow', Precedence: 9, Type: 'consul' }],
        CreateIndex: '<index 8>',
        ModifyIndex: '<index 8>',
      },
      index: '<index 8>',
    }),
    exchange(
      'an empty Meta is a change',
      'PUT /v1/config',
      { status: 200, body: true },
      {
        body: {
          Kind: 'service-intentions',
          Name: 'single',
          Meta: {},
          Sources: [{ Name: 'web', Action: 'allow' }],
        },
      },
    ),
    exchange('and is not told', 'GET /v1/config/service-intentions/single', {
      status: 200,
      body: {
        Kind: 'service-intentions',
        Name: 'single',
        Sources: [{ Name: 'web', Action: 'allow', Precedence: 9, Type: 'consul' }],
        CreateIndex: '<index 8>',
        ModifyIndex: '<index 9>',
      },
      index: '<index 9>',
    }),
  ],
};
