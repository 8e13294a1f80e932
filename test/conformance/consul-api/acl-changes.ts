import { exchange, type Scenario } from './exchange.js';

export const aclChanges: Scenario = {
  name: 'power that comes and goes',
  exchanges: [
    exchange(
      'a policy',
      'PUT /v1/acl/policy',
      {
        status: 200,
        body: {
          ID: '<uuid 1>',
          Name: 'keys',
          Description: '',
          Rules: 'key_prefix "" { policy = "write" }',
          Hash: '<hash>',
          CreateIndex: '<index 1>',
          ModifyIndex: '<index 1>',
        },
      },
      { body: { Name: 'keys', Rules: 'key_prefix "" { policy = "write" }' }, save: { policy: 'ID' } },
    ),
    exchange(
      'a role',
      'PUT /v1/acl/role',
      {
        status: 200,
        body: {
          ID: '<uuid 2>',
          Name: 'keeper',
          Description: '',
          Policies: [{ ID: '<uuid 1>', Name: 'keys' }],
          Hash: '<hash>',
          CreateIndex: '<index 2>',
          ModifyIndex: '<index 2>',
        },
      },
      { body: { Name: 'keeper', Policies: [{ Name: 'keys' }] }, save: { role: 'ID' } },
    ),
    exchange(
      'a token of the role',
      'PUT /v1/acl/token',
      {
        status: 200,
        body: {
          AccessorID: '<uuid 3>',
          SecretID: '<uuid 4>',
          Description: '',
          Roles: [{ ID: '<uuid 2>', Name: 'keeper' }],
          Local: false,
          CreateTime: '<time>',
          Hash: '<hash>',
          CreateIndex: '<index 3>',
          ModifyIndex: '<index 3>',
        },
      },
      { body: { Roles: [{ Name: 'keeper' }] }, save: { keeper: 'SecretID', accessor: 'AccessorID' } },
    ),
    exchange('may write', 'PUT /v1/kv/k', { status: 200, body: true }, { text: 'x', as: 'keeper' }),
    exchange(
      'the role loses its policy',
      'PUT /v1/acl/role/{{role}}',
      {
        status: 200,
        body: {
          ID: '<uuid 2>',
          Name: 'keeper',
          Description: '',
          Hash: '<hash>',
          CreateIndex: '<index 2>',
          ModifyIndex: '<index 4>',
        },
      },
      { body: { Name: 'keeper' } },
    ),
    exchange(
      'and the token its power',
      'PUT /v1/kv/k',
      {
        status: 403,
        body: "Permission denied: token with AccessorID '<uuid 3>' lacks permission 'key:write' on \"k\"",
      },
      { text: 'y', as: 'keeper' },
    ),
    exchange(
      'two policies that disagree',
      'PUT /v1/acl/policy',
      {
        status: 200,
        body: {
          ID: '<uuid 5>',
          Name: 'not-k',
          Description: '',
          Rules: 'key "k" { policy = "deny" }',
          Hash: '<hash>',
          CreateIndex: '<index 5>',
          ModifyIndex: '<index 5>',
        },
      },
      { body: { Name: 'not-k', Rules: 'key "k" { policy = "deny" }' } },
    ),
    exchange(
      'both given',
      'PUT /v1/acl/token/{{accessor}}',
      {
        status: 200,
        body: {
          AccessorID: '<uuid 3>',
          SecretID: '<uuid 4>',
          Description: '',
          Policies: [
            { ID: '<uuid 1>', Name: 'keys' },
            { ID: '<uuid 5>', Name: 'not-k' },
          ],
          Local: false,
          CreateTime: '<time>',
          Hash: '<hash>',
          CreateIndex: '<index 3>',
          ModifyIndex: '<index 6>',
        },
      },
      { body: { Policies: [{ Name: 'keys' }, { Name: 'not-k' }] } },
    ),
    exchange(
      'the denial wins where it is exact',
      'PUT /v1/kv/k',
      {
        status: 403,
        body: "Permission denied: token with AccessorID '<uuid 3>' lacks permission 'key:write' on \"k\"",
      },
      { text: 'y', as: 'keeper' },
    ),
    exchange(
      'and elsewhere the grant',
      'PUT /v1/kv/l',
      { status: 200, body: true },
      { text: 'y', as: 'keeper' },
    ),
    exchange('a policy goes', 'DELETE /v1/acl/policy/{{policy}}', { status: 200, body: true }),
    exchange(
      'its grant with it',
      'PUT /v1/kv/l',
      {
        status: 403,
        body: "Permission denied: token with AccessorID '<uuid 3>' lacks permission 'key:write' on \"l\"",
      },
      { text: 'z', as: 'keeper' },
    ),
    exchange(
      'a service identity',
      'PUT /v1/acl/token',
      {
        status: 200,
        body: {
          AccessorID: '<uuid 6>',
          SecretID: '<uuid 7>',
          Description: '',
          ServiceIdentities: [{ ServiceName: 'web' }],
          Local: false,
          CreateTime: '<time>',
          Hash: '<hash>',
          CreateIndex: '<index 7>',
          ModifyIndex: '<index 7>',
        },
      },
      { body: { ServiceIdentities: [{ ServiceName: 'web' }] }, save: { web: 'SecretID' } },
    ),
    exchange(
      'may write its defaults',
      'PUT /v1/config',
      { status: 200, body: true },
      { body: { Kind: 'service-defaults', Name: 'web', Protocol: 'http' }, as: 'web' },
    ),
    exchange(
      'but not its intentions',
      'PUT /v1/config',
      {
        status: 403,
        body: "Permission denied: token with AccessorID '<uuid 6>' lacks permission 'intention:write' on \"web\"",
      },
      {
        body: { Kind: 'service-intentions', Name: 'web', Sources: [{ Name: 'shop', Action: 'allow' }] },
        as: 'web',
      },
    ),
    exchange('the token goes', 'DELETE /v1/acl/token/{{accessor}}', { status: 200, body: true }),
    exchange(
      'and is nobody at once',
      'GET /v1/kv/l',
      { status: 403, body: 'ACL not found' },
      { as: 'keeper' },
    ),
  ],
};
