import { exchange, type Scenario } from './exchange.js';

export const requests: Scenario = {
  name: 'requests that are wrong whatever they ask',
  exchanges: [
    exchange('another datacenter', 'GET /v1/kv/a?dc=dc2', { status: 500, body: 'No path to datacenter' }),
    exchange('the own datacenter', 'GET /v1/kv/a?dc=dc1', { status: 404, body: '', index: '<index 1>' }),
    exchange(
      'another datacenter, asked by nobody',
      'GET /v1/catalog/services?dc=dc2',
      { status: 500, body: 'No path to datacenter' },
      { as: 'nobody' },
    ),
    exchange('a namespace', 'GET /v1/catalog/services?ns=default', {
      status: 400,
      body: 'Invalid query parameter: "ns" - Namespaces are a Consul Enterprise feature',
    }),
    exchange('a namespace of entries', 'GET /v1/config/service-intentions?ns=x', {
      status: 400,
      body: 'Invalid query parameter: "ns" - Namespaces are a Consul Enterprise feature',
    }),
    exchange('a partition', 'GET /v1/catalog/services?partition=x', {
      status: 400,
      body: 'Invalid query parameter: "partition" - Partitions are a Consul Enterprise feature',
    }),
    exchange('a line break in the path', 'GET /v1/kv/a%0Ab', { status: 400, body: '' }),
    exchange('a NUL in the path', 'GET /v1/kv/a%00b', { status: 400, body: '' }),
    exchange('a DEL in the path', 'GET /v1/kv/a%7Fb', { status: 400, body: '' }),
    exchange('a line separator in the path', 'GET /v1/kv/a%E2%80%A8b', { status: 400, body: '' }),
    exchange('a space that does not break', 'GET /v1/config/service-intentions/a%C2%A0b', {
      status: 400,
      body: '',
    }),
    exchange('a broken escape', 'GET /v1/kv/%zz', { status: 400, body: '400 Bad Request' }),
    exchange(
      'letters from afar are fine',
      'PUT /v1/kv/%F0%9F%98%80/%E0%B8%81',
      { status: 200, body: true },
      { text: 'x' },
    ),
    exchange('and read back', 'GET /v1/kv/%F0%9F%98%80/%E0%B8%81', {
      status: 200,
      body: [
        {
          LockIndex: 0,
          Key: '😀/ก',
          Flags: 0,
          Value: 'eA==',
          CreateIndex: '<index 2>',
          ModifyIndex: '<index 2>',
        },
      ],
      index: '<index 2>',
    }),
    exchange('a plain key', 'PUT /v1/kv/plain', { status: 200, body: true }, { text: 'y' }),
    exchange('an empty segment is left out', 'GET /v1/kv//plain', {
      status: 200,
      body: [
        {
          LockIndex: 0,
          Key: 'plain',
          Flags: 0,
          Value: 'eQ==',
          CreateIndex: '<index 3>',
          ModifyIndex: '<index 3>',
        },
      ],
      index: '<index 3>',
    }),
    exchange('an escaped one is kept', 'GET /v1/kv/%2Fplain', { status: 404, body: '', index: '<index 3>' }),
    exchange('a slash at the end is another path', 'GET /v1/status/leader/', {
      status: 404,
      body: 'Invalid URL path: not a recognized HTTP API endpoint\n',
    }),
    exchange('stale', 'GET /v1/catalog/datacenters?stale', { status: 200, body: ['dc1'] }),
    exchange('services, stale', 'GET /v1/catalog/service/none?stale', {
      status: 200,
      body: [],
      index: '<index 4>',
      consistency: 'stale',
    }),
    exchange('services, consistent', 'GET /v1/catalog/service/none?consistent', {
      status: 200,
      body: [],
      index: '<index 4>',
      consistency: 'consistent',
    }),
    exchange('services, both', 'GET /v1/catalog/service/none?consistent&stale', {
      status: 400,
      body: 'Cannot specify ?stale with ?consistent, conflicting semantics.',
    }),
    exchange('a pretty answer is the same', 'GET /v1/catalog/datacenters?pretty', {
      status: 200,
      body: ['dc1'],
    }),
  ],
};
