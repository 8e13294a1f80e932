import { exchange, type Scenario } from './exchange.js';

export const aclPolicies: Scenario = {
  name: 'policies',
  exchanges: [
    exchange(
      'a policy',
      'PUT /v1/acl/policy',
      {
        status: 200,
        body: {
          ID: '<uuid 1>',
          Name: 'one',
          Description: 'first',
          Rules: 'key_prefix "" { policy = "read" }',
          Hash: '<hash>',
          CreateIndex: '<index 1>',
          ModifyIndex: '<index 1>',
        },
      },
      {
        body: { Name: 'one', Description: 'first', Rules: 'key_prefix "" { policy = "read" }' },
        save: { id: 'ID' },
      },
    ),
    exchange('by id', 'GET /v1/acl/policy/{{id}}', {
      status: 200,
      body: {
        ID: '<uuid 1>',
        Name: 'one',
        Description: 'first',
        Rules: 'key_prefix "" { policy = "read" }',
        Hash: '<hash>',
        CreateIndex: '<index 1>',
        ModifyIndex: '<index 1>',
      },
      index: '<index 1>',
    }),
    exchange('by name', 'GET /v1/acl/policy/name/one', {
      status: 200,
      body: {
        ID: '<uuid 1>',
        Name: 'one',
        Description: 'first',
        Rules: 'key_prefix "" { policy = "read" }',
        Hash: '<hash>',
        CreateIndex: '<index 1>',
        ModifyIndex: '<index 1>',
      },
      index: '<index 1>',
    }),
    exchange('by name in capitals', 'GET /v1/acl/policy/name/ONE', {
      status: 200,
      body: {
        ID: '<uuid 1>',
        Name: 'one',
        Description: 'first',
        Rules: 'key_prefix "" { policy = "read" }',
        Hash: '<hash>',
        CreateIndex: '<index 1>',
        ModifyIndex: '<index 1>',
      },
      index: '<index 1>',
    }),
    exchange('a missing name', 'GET /v1/acl/policy/name/nope', { status: 403, body: 'ACL not found' }),
    exchange('a missing id', 'GET /v1/acl/policy/00000000-0000-0000-0000-00000000000f', {
      status: 403,
      body: 'ACL not found',
    }),
    exchange('an id that is none', 'GET /v1/acl/policy/nope', {
      status: 500,
      body: 'failed acl policy lookup: index error: UUID must be 36 characters',
    }),
    exchange(
      'the name again',
      'PUT /v1/acl/policy',
      { status: 500, body: 'Invalid Policy: A Policy with Name "One" already exists' },
      { body: { Name: 'One' } },
    ),
    exchange(
      'no name',
      'PUT /v1/acl/policy',
      { status: 500, body: 'Invalid Policy: no Name is set' },
      { body: {} },
    ),
    exchange(
      'a bad name',
      'PUT /v1/acl/policy',
      {
        status: 500,
        body: "Invalid Policy: invalid Name. Only alphanumeric characters, a single '/', '-' and '_' are allowed",
      },
      { body: { Name: 'a b' } },
    ),
    exchange(
      'an unknown field',
      'PUT /v1/acl/policy',
      { status: 400, body: 'Policy decoding failed: json: unknown field "Colour"' },
      { body: { Name: 'x', Colour: 'red' } },
    ),
    exchange(
      'a bad level',
      'PUT /v1/acl/policy',
      {
        status: 500,
        body: 'Invalid service policy: &acl.ServiceRule{Name:"a", Policy:"maybe", Intentions:"", EnterpriseRule:acl.EnterpriseRule{}}',
      },
      { body: { Name: 'x', Rules: 'service "a" { policy = "maybe" }' } },
    ),
    exchange(
      'a bad level for intentions',
      'PUT /v1/acl/policy',
      {
        status: 500,
        body: 'Invalid service intentions policy: &acl.ServiceRule{Name:"a", Policy:"read", Intentions:"maybe", EnterpriseRule:acl.EnterpriseRule{}}',
      },
      { body: { Name: 'x', Rules: 'service "a" { policy = "read" intentions = "maybe" }' } },
    ),
    exchange(
      'a bad level of a key',
      'PUT /v1/acl/policy',
      {
        status: 500,
        body: 'Invalid key policy: &acl.KeyRule{Prefix:"a", Policy:"maybe", EnterpriseRule:acl.EnterpriseRule{}}',
      },
      { body: { Name: 'x', Rules: 'key "a" { policy = "maybe" }' } },
    ),
    exchange(
      'a bad level of the operator',
      'PUT /v1/acl/policy',
      { status: 500, body: 'Invalid operator policy: "maybe"' },
      { body: { Name: 'x', Rules: 'operator = "maybe"' } },
    ),
    exchange(
      'unknown words pass',
      'PUT /v1/acl/policy',
      {
        status: 200,
        body: {
          ID: '<uuid 2>',
          Name: 'words',
          Description: '',
          Rules: 'colour = "red"',
          Hash: '<hash>',
          CreateIndex: '<index 2>',
          ModifyIndex: '<index 2>',
        },
      },
      { body: { Name: 'words', Rules: 'colour = "red"' } },
    ),
    exchange(
      'rules as JSON pass',
      'PUT /v1/acl/policy',
      {
        status: 200,
        body: {
          ID: '<uuid 3>',
          Name: 'json',
          Description: '',
          Rules: '{"key":{"a":{"policy":"read"}},"operator":"read"}',
          Hash: '<hash>',
          CreateIndex: '<index 3>',
          ModifyIndex: '<index 3>',
        },
      },
      { body: { Name: 'json', Rules: '{"key":{"a":{"policy":"read"}},"operator":"read"}' } },
    ),
    exchange(
      'an update',
      'PUT /v1/acl/policy/{{id}}',
      {
        status: 200,
        body: {
          ID: '<uuid 1>',
          Name: 'uno',
          Description: '',
          Rules: '',
          Hash: '<hash>',
          CreateIndex: '<index 1>',
          ModifyIndex: '<index 4>',
        },
      },
      { body: { Name: 'uno', Rules: '' } },
    ),
    exchange(
      'an equal update',
      'PUT /v1/acl/policy/{{id}}',
      {
        status: 200,
        body: {
          ID: '<uuid 1>',
          Name: 'uno',
          Description: '',
          Rules: '',
          Hash: '<hash>',
          CreateIndex: '<index 1>',
          ModifyIndex: '<index 5>',
        },
      },
      { body: { Name: 'uno', Rules: '' } },
    ),
    exchange(
      'ids that differ',
      'PUT /v1/acl/policy/{{id}}',
      { status: 400, body: 'Policy ID in URL and payload do not match' },
      { body: { ID: '11111111-2222-3333-4444-555555555555', Name: 'uno' } },
    ),
    exchange(
      'an update of what is not there',
      'PUT /v1/acl/policy/11111111-2222-3333-4444-555555555555',
      { status: 500, body: 'cannot find policy <uuid 4>' },
      { body: { Name: 'x' } },
    ),
    exchange('a delete', 'DELETE /v1/acl/policy/{{id}}', { status: 200, body: true }),
    exchange('a repeated delete', 'DELETE /v1/acl/policy/{{id}}', { status: 200, body: true }),
    exchange('the built-in one stays', 'DELETE /v1/acl/policy/00000000-0000-0000-0000-000000000001', {
      status: 500,
      body: 'Delete operation not permitted on the builtin global-management policy',
    }),
  ],
};
