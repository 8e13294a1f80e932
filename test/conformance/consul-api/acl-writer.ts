import { exchange, type Scenario } from './exchange.js';

export const aclWriter: Scenario = {
  name: 'with a token that may write a little',
  exchanges: [
    exchange(
      'a policy for writer',
      'PUT /v1/acl/policy',
      {
        status: 200,
        body: {
          ID: '<uuid 1>',
          Name: 'p-writer',
          Description: '',
          Rules:
            '{"service":{"web":{"policy":"write","intentions":"write"}},"service_prefix":{"team-":{"policy":"write"}},"key_prefix":{"app/":{"policy":"write"}},"key":{"app/locked":{"policy":"read"}},"node":{"out":{"policy":"write"}},"session_prefix":{"":{"policy":"write"}},"operator":"write"}',
          Hash: '<hash>',
          CreateIndex: '<index 1>',
          ModifyIndex: '<index 1>',
        },
      },
      {
        body: {
          Name: 'p-writer',
          Rules:
            '{"service":{"web":{"policy":"write","intentions":"write"}},"service_prefix":{"team-":{"policy":"write"}},"key_prefix":{"app/":{"policy":"write"}},"key":{"app/locked":{"policy":"read"}},"node":{"out":{"policy":"write"}},"session_prefix":{"":{"policy":"write"}},"operator":"write"}',
        },
      },
    ),
    exchange(
      'a token for writer',
      'PUT /v1/acl/token',
      {
        status: 200,
        body: {
          AccessorID: '<uuid 2>',
          SecretID: '<uuid 3>',
          Description: 'writer',
          Policies: [{ ID: '<uuid 1>', Name: 'p-writer' }],
          Local: false,
          CreateTime: '<time>',
          Hash: '<hash>',
          CreateIndex: '<index 2>',
          ModifyIndex: '<index 2>',
        },
      },
      {
        body: { Description: 'writer', Policies: [{ Name: 'p-writer' }] },
        save: { writer: 'SecretID', writerAccessor: 'AccessorID' },
      },
    ),
    exchange(
      'intentions of its own',
      'PUT /v1/config',
      { status: 200, body: true },
      {
        body: { Kind: 'service-intentions', Name: 'web', Sources: [{ Name: 'shop', Action: 'allow' }] },
        as: 'writer',
      },
    ),
    exchange(
      'intentions need more than write of the service',
      'PUT /v1/config',
      {
        status: 403,
        body: "Permission denied: token with AccessorID '<uuid 2>' lacks permission 'intention:write' on \"team-a\"",
      },
      {
        body: { Kind: 'service-intentions', Name: 'team-a', Sources: [{ Name: 'shop', Action: 'allow' }] },
        as: 'writer',
      },
    ),
    exchange(
      'defaults of the service need just that',
      'PUT /v1/config',
      { status: 200, body: true },
      { body: { Kind: 'service-defaults', Name: 'team-a', Protocol: 'http' }, as: 'writer' },
    ),
    exchange(
      'for every destination it may not',
      'PUT /v1/config',
      {
        status: 403,
        body: "Permission denied: token with AccessorID '<uuid 2>' lacks permission 'intention:write' on \"*\"",
      },
      {
        body: { Kind: 'service-intentions', Name: '*', Sources: [{ Name: 'shop', Action: 'allow' }] },
        as: 'writer',
      },
    ),
    exchange(
      'proxy-defaults by operator',
      'PUT /v1/config',
      { status: 200, body: true },
      { body: { Kind: 'proxy-defaults', Name: 'global', Config: { protocol: 'http' } }, as: 'writer' },
    ),
    exchange(
      'a node and service of its own',
      'PUT /v1/catalog/register',
      { status: 200, body: true },
      { body: { Node: 'out', Address: '10.0.0.1', Service: { Service: 'web' } }, as: 'writer' },
    ),
    exchange(
      'another service',
      'PUT /v1/catalog/register',
      {
        status: 403,
        body: "Permission denied: token with AccessorID '<uuid 2>' lacks permission 'service:write' on \"db\"",
      },
      { body: { Node: 'out', Address: '10.0.0.1', Service: { Service: 'db' } }, as: 'writer' },
    ),
    exchange(
      'another node',
      'PUT /v1/catalog/register',
      {
        status: 403,
        body: "Permission denied: token with AccessorID '<uuid 2>' lacks permission 'node:write' on \"else\"",
      },
      { body: { Node: 'else', Address: '10.0.0.1', Service: { Service: 'web' } }, as: 'writer' },
    ),
    exchange(
      'a sidecar for another service',
      'PUT /v1/catalog/register',
      {
        status: 403,
        body: "Permission denied: token with AccessorID '<uuid 2>' lacks permission 'service:write' on \"db\"",
      },
      {
        body: {
          Node: 'out',
          Address: '10.0.0.1',
          Service: {
            Kind: 'connect-proxy',
            Service: 'web',
            ID: 'p',
            Port: 1,
            Proxy: { DestinationServiceName: 'db' },
          },
        },
        as: 'writer',
      },
    ),
    exchange('a key', 'PUT /v1/kv/app/a', { status: 200, body: true }, { text: 'x', as: 'writer' }),
    exchange(
      'a key that is read-only',
      'PUT /v1/kv/app/locked',
      {
        status: 403,
        body: "Permission denied: token with AccessorID '<uuid 2>' lacks permission 'key:write' on \"app/locked\"",
      },
      { text: 'x', as: 'writer' },
    ),
    exchange(
      'a tree with a read-only key in it',
      'DELETE /v1/kv/app/?recurse',
      {
        status: 403,
        body: "Permission denied: token with AccessorID '<uuid 2>' lacks permission 'key:write' on \"app/\"",
      },
      { as: 'writer' },
    ),
    exchange('a tree without', 'DELETE /v1/kv/app/b/?recurse', { status: 200, body: true }, { as: 'writer' }),
    exchange(
      'a session',
      'PUT /v1/session/create',
      { status: 200, body: { ID: '<uuid 4>' } },
      { as: 'writer', save: { s: 'ID' } },
    ),
    exchange('its end', 'PUT /v1/session/destroy/{{s}}', { status: 200, body: true }, { as: 'writer' }),
    exchange(
      'its intentions',
      'DELETE /v1/config/service-intentions/web',
      { status: 200, body: {} },
      { as: 'writer' },
    ),
    exchange(
      'a deregistration of its node',
      'PUT /v1/catalog/deregister',
      { status: 200, body: true },
      { body: { Node: 'out' }, as: 'writer' },
    ),
  ],
};
