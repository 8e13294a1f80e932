import { exchange, type Scenario } from './exchange.js';

export const aclNobody: Scenario = {
  name: 'without a token',
  exchanges: [
    exchange(
      'a node with a service',
      'PUT /v1/catalog/register',
      { status: 200, body: true },
      { body: { Node: 'out', Address: '10.0.0.1', Service: { Service: 'web' } } },
    ),
    exchange(
      'an intention',
      'PUT /v1/config',
      { status: 200, body: true },
      { body: { Kind: 'service-intentions', Name: 'web', Sources: [{ Name: 'shop', Action: 'allow' }] } },
    ),
    exchange('a key', 'PUT /v1/kv/secret', { status: 200, body: true }, { text: 'x' }),
    exchange(
      'services: an empty answer that does not say it is filtered',
      'GET /v1/catalog/services',
      { status: 200, body: {}, index: '<index 1>', consistency: 'leader' },
      { as: 'nobody' },
    ),
    exchange(
      'instances',
      'GET /v1/catalog/service/web',
      { status: 200, body: [], index: '<index 1>', consistency: 'leader' },
      { as: 'nobody' },
    ),
    exchange(
      'nodes',
      'GET /v1/catalog/nodes',
      { status: 200, body: [], index: '<index 1>', consistency: 'leader' },
      { as: 'nobody' },
    ),
    exchange(
      'a node',
      'GET /v1/catalog/node/out',
      { status: 200, body: null, index: '<index 1>', consistency: 'leader' },
      { as: 'nobody' },
    ),
    exchange(
      'health',
      'GET /v1/health/service/web',
      { status: 200, body: [], index: '<index 1>', consistency: 'leader' },
      { as: 'nobody' },
    ),
    exchange(
      'intentions',
      'GET /v1/connect/intentions',
      { status: 200, body: [], index: '<index 2>' },
      { as: 'nobody' },
    ),
    exchange(
      'entries',
      'GET /v1/config/service-intentions',
      { status: 200, body: [], index: '<index 2>' },
      { as: 'nobody' },
    ),
    exchange(
      'one entry',
      'GET /v1/config/service-intentions/web',
      {
        status: 403,
        body: "Permission denied: token with AccessorID '00000000-0000-0000-0000-000000000002' lacks permission 'intention:read' on \"web\"",
      },
      { as: 'nobody' },
    ),
    exchange(
      'one intention',
      'GET /v1/connect/intentions/exact?source=shop&destination=web',
      { status: 403, body: 'Permission denied' },
      { as: 'nobody' },
    ),
    exchange(
      'a match',
      'GET /v1/connect/intentions/match?by=source&name=shop',
      {
        status: 403,
        body: "Permission denied: token with AccessorID '00000000-0000-0000-0000-000000000002' lacks permission 'intention:read' on \"shop\"",
      },
      { as: 'nobody' },
    ),
    exchange(
      'a check',
      'GET /v1/connect/intentions/check?source=shop&destination=web',
      {
        status: 403,
        body: "Permission denied: token with AccessorID '00000000-0000-0000-0000-000000000002' lacks permission 'service:read' on \"web\"",
      },
      { as: 'nobody' },
    ),
    exchange(
      'a write',
      'PUT /v1/config',
      {
        status: 403,
        body: "Permission denied: token with AccessorID '00000000-0000-0000-0000-000000000002' lacks permission 'intention:write' on \"web\"",
      },
      {
        body: { Kind: 'service-intentions', Name: 'web', Sources: [{ Name: 'shop', Action: 'allow' }] },
        as: 'nobody',
      },
    ),
    exchange(
      'an exact write',
      'PUT /v1/connect/intentions/exact?source=shop&destination=web',
      { status: 403, body: 'Permission denied' },
      { body: { Action: 'allow' }, as: 'nobody' },
    ),
    exchange(
      'a delete',
      'DELETE /v1/config/service-intentions/web',
      {
        status: 403,
        body: "Permission denied: token with AccessorID '00000000-0000-0000-0000-000000000002' lacks permission 'intention:write' on \"web\"",
      },
      { as: 'nobody' },
    ),
    exchange(
      'a key',
      'GET /v1/kv/secret',
      {
        status: 403,
        body: "Permission denied: token with AccessorID '00000000-0000-0000-0000-000000000002' lacks permission 'key:read' on \"secret\"",
      },
      { as: 'nobody' },
    ),
    exchange(
      'a tree',
      'GET /v1/kv/?recurse',
      { status: 404, body: '', index: '<index 3>' },
      { as: 'nobody' },
    ),
    exchange('keys', 'GET /v1/kv/?keys', { status: 200, body: [], index: '<index 3>' }, { as: 'nobody' }),
    exchange(
      'a key’s write',
      'PUT /v1/kv/secret',
      {
        status: 403,
        body: "Permission denied: token with AccessorID '00000000-0000-0000-0000-000000000002' lacks permission 'key:write' on \"secret\"",
      },
      { text: 'y', as: 'nobody' },
    ),
    exchange(
      'a key’s delete',
      'DELETE /v1/kv/secret',
      {
        status: 403,
        body: "Permission denied: token with AccessorID '00000000-0000-0000-0000-000000000002' lacks permission 'key:write' on \"secret\"",
      },
      { as: 'nobody' },
    ),
    exchange(
      'a tree’s delete',
      'DELETE /v1/kv/?recurse',
      {
        status: 403,
        body: "Permission denied: token with AccessorID '00000000-0000-0000-0000-000000000002' lacks permission 'key:write'",
      },
      { as: 'nobody' },
    ),
    exchange(
      'a session',
      'PUT /v1/session/create',
      {
        status: 403,
        body: "Permission denied: token with AccessorID '00000000-0000-0000-0000-000000000002' lacks permission 'session:write' on \"<node>\"",
      },
      { as: 'nobody' },
    ),
    exchange(
      'a registration',
      'PUT /v1/catalog/register',
      {
        status: 403,
        body: "Permission denied: token with AccessorID '00000000-0000-0000-0000-000000000002' lacks permission 'node:write' on \"else\"",
      },
      { body: { Node: 'else', Address: '10.0.0.2' }, as: 'nobody' },
    ),
    exchange(
      'a deregistration',
      'PUT /v1/catalog/deregister',
      {
        status: 403,
        body: "Permission denied: token with AccessorID '00000000-0000-0000-0000-000000000002' lacks permission 'node:write' on \"out\"",
      },
      { body: { Node: 'out' }, as: 'nobody' },
    ),
    exchange(
      'the agent',
      'GET /v1/agent/self',
      {
        status: 403,
        body: "Permission denied: token with AccessorID '00000000-0000-0000-0000-000000000002' lacks permission 'agent:read' on \"<node>\"",
      },
      { as: 'nobody' },
    ),
    exchange('its services', 'GET /v1/agent/services', { status: 200, body: {} }, { as: 'nobody' }),
    exchange('its members', 'GET /v1/agent/members', { status: 200, body: [] }, { as: 'nobody' }),
    exchange(
      'a service',
      'PUT /v1/agent/service/register',
      {
        status: 403,
        body: "Permission denied: token with AccessorID '00000000-0000-0000-0000-000000000002' lacks permission 'service:write' on \"x\"",
      },
      { body: { Name: 'x' }, as: 'nobody' },
    ),
    exchange(
      'tokens',
      'GET /v1/acl/tokens',
      {
        status: 403,
        body: "Permission denied: token with AccessorID '00000000-0000-0000-0000-000000000002' lacks permission 'acl:read'",
      },
      { as: 'nobody' },
    ),
    exchange(
      'policies',
      'GET /v1/acl/policies',
      {
        status: 403,
        body: "Permission denied: token with AccessorID '00000000-0000-0000-0000-000000000002' lacks permission 'acl:read'",
      },
      { as: 'nobody' },
    ),
    exchange(
      'roles',
      'GET /v1/acl/roles',
      {
        status: 403,
        body: "Permission denied: token with AccessorID '00000000-0000-0000-0000-000000000002' lacks permission 'acl:read'",
      },
      { as: 'nobody' },
    ),
    exchange(
      'a token',
      'PUT /v1/acl/token',
      {
        status: 403,
        body: "Permission denied: token with AccessorID '00000000-0000-0000-0000-000000000002' lacks permission 'acl:write'",
      },
      { body: {}, as: 'nobody' },
    ),
    exchange(
      'a transaction',
      'PUT /v1/txn',
      {
        status: 409,
        body: {
          Results: null,
          Errors: [
            {
              OpIndex: 0,
              What: "Permission denied: token with AccessorID '00000000-0000-0000-0000-000000000002' lacks permission 'key:write' on \"secret\"",
            },
          ],
        },
      },
      { body: [{ KV: { Verb: 'set', Key: 'secret', Value: 'eA==' } }], as: 'nobody' },
    ),
    exchange(
      'a transaction that reads',
      'PUT /v1/txn',
      {
        status: 200,
        body: {
          Results: [],
          Errors: null,
          Index: '1',
          LastContact: 0,
          KnownLeader: true,
          ConsistencyLevel: '',
          NotModified: false,
          Backend: 0,
          ResultsFilteredByACLs: false,
        },
      },
      { body: [{ KV: { Verb: 'get', Key: 'secret' } }], as: 'nobody' },
    ),
    exchange(
      'proxy-defaults',
      'PUT /v1/config',
      {
        status: 403,
        body: "Permission denied: token with AccessorID '00000000-0000-0000-0000-000000000002' lacks permission 'mesh:write'",
      },
      { body: { Kind: 'proxy-defaults', Name: 'global', Config: {} }, as: 'nobody' },
    ),
    exchange(
      'proxy-defaults may be read by all',
      'GET /v1/config/proxy-defaults',
      { status: 200, body: [], index: '<index 2>' },
      { as: 'nobody' },
    ),
    exchange(
      'a stranger',
      'GET /v1/catalog/services',
      { status: 403, body: 'ACL not found' },
      { as: 'stranger' },
    ),
    exchange(
      'a stranger at the leader',
      'GET /v1/kv/secret',
      { status: 403, body: 'ACL not found' },
      { as: 'stranger' },
    ),
  ],
};
