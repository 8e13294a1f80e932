import { exchange, type Scenario } from './exchange.js';

export const aclRoles: Scenario = {
  name: 'roles',
  exchanges: [
    exchange(
      'a policy to link',
      'PUT /v1/acl/policy',
      {
        status: 200,
        body: {
          ID: '<uuid 1>',
          Name: 'linked',
          Description: '',
          Rules: '',
          Hash: '<hash>',
          CreateIndex: '<index 1>',
          ModifyIndex: '<index 1>',
        },
      },
      { body: { Name: 'linked' }, save: { policy: 'ID' } },
    ),
    exchange(
      'a role',
      'PUT /v1/acl/role',
      {
        status: 200,
        body: {
          ID: '<uuid 2>',
          Name: 'one',
          Description: 'first',
          Policies: [{ ID: '<uuid 1>', Name: 'linked' }],
          ServiceIdentities: [{ ServiceName: 'web' }],
          NodeIdentities: [{ NodeName: 'n', Datacenter: 'dc1' }],
          Hash: '<hash>',
          CreateIndex: '<index 2>',
          ModifyIndex: '<index 2>',
        },
      },
      {
        body: {
          Name: 'one',
          Description: 'first',
          Policies: [{ Name: 'linked' }, { ID: '{{policy}}' }],
          ServiceIdentities: [{ ServiceName: 'web' }],
          NodeIdentities: [{ NodeName: 'n', Datacenter: 'dc1' }],
        },
        save: { id: 'ID' },
      },
    ),
    exchange('by id', 'GET /v1/acl/role/{{id}}', {
      status: 200,
      body: {
        ID: '<uuid 2>',
        Name: 'one',
        Description: 'first',
        Policies: [{ ID: '<uuid 1>', Name: 'linked' }],
        ServiceIdentities: [{ ServiceName: 'web' }],
        NodeIdentities: [{ NodeName: 'n', Datacenter: 'dc1' }],
        Hash: '<hash>',
        CreateIndex: '<index 2>',
        ModifyIndex: '<index 2>',
      },
      index: '<index 2>',
    }),
    exchange('by name', 'GET /v1/acl/role/name/one', {
      status: 200,
      body: {
        ID: '<uuid 2>',
        Name: 'one',
        Description: 'first',
        Policies: [{ ID: '<uuid 1>', Name: 'linked' }],
        ServiceIdentities: [{ ServiceName: 'web' }],
        NodeIdentities: [{ NodeName: 'n', Datacenter: 'dc1' }],
        Hash: '<hash>',
        CreateIndex: '<index 2>',
        ModifyIndex: '<index 2>',
      },
      index: '<index 2>',
    }),
    exchange('a missing name', 'GET /v1/acl/role/name/nope', { status: 404, body: '', index: '<index 2>' }),
    exchange('a missing id', 'GET /v1/acl/role/00000000-0000-0000-0000-00000000000f', {
      status: 404,
      body: '',
      index: '<index 2>',
    }),
    exchange(
      'the name again',
      'PUT /v1/acl/role',
      { status: 500, body: 'Invalid Role: A Role with Name "ONE" already exists' },
      { body: { Name: 'ONE' } },
    ),
    exchange(
      'no name',
      'PUT /v1/acl/role',
      { status: 500, body: 'Invalid Role: no Name is set' },
      { body: {} },
    ),
    exchange(
      'a bad name',
      'PUT /v1/acl/role',
      {
        status: 500,
        body: "Invalid Role: invalid Name. Only alphanumeric characters, '-' and '_' are allowed",
      },
      { body: { Name: 'a b' } },
    ),
    exchange(
      'a missing policy',
      'PUT /v1/acl/role',
      { status: 500, body: 'No such ACL policy with name "nope"' },
      { body: { Name: 'x', Policies: [{ Name: 'nope' }] } },
    ),
    exchange(
      'a bad service identity',
      'PUT /v1/acl/role',
      {
        status: 500,
        body: "Service identity \"A B\" has an invalid name. Only lowercase alphanumeric characters, '-' and '_' are allowed",
      },
      { body: { Name: 'x', ServiceIdentities: [{ ServiceName: 'A B' }] } },
    ),
    exchange(
      'a node identity without datacenter',
      'PUT /v1/acl/role',
      { status: 500, body: 'Node identity is missing the datacenter field on this role' },
      { body: { Name: 'x', NodeIdentities: [{ NodeName: 'n' }] } },
    ),
    exchange(
      'an update',
      'PUT /v1/acl/role/{{id}}',
      {
        status: 200,
        body: {
          ID: '<uuid 2>',
          Name: 'uno',
          Description: '',
          Policies: [{ ID: '<uuid 1>', Name: 'linked' }],
          Hash: '<hash>',
          CreateIndex: '<index 2>',
          ModifyIndex: '<index 3>',
        },
      },
      { body: { Name: 'uno', Policies: [{ Name: 'linked' }] } },
    ),
    exchange(
      'roles wake for an equal rewrite',
      'GET /v1/acl/roles',
      {
        status: 200,
        body: [
          {
            ID: '<uuid 2>',
            Name: 'uno',
            Description: '',
            Policies: [{ ID: '<uuid 1>', Name: 'linked' }],
            Hash: '<hash>',
            CreateIndex: '<index 2>',
            ModifyIndex: '<index 4>',
          },
        ],
        index: '<index 4>',
        woken: true,
      },
      {
        blocks: {
          wait: '5s',
          meanwhile: [
            {
              method: 'PUT',
              path: '/v1/acl/role/{{id}}',
              body: { Name: 'uno', Policies: [{ Name: 'linked' }] },
            },
          ],
        },
      },
    ),
    exchange(
      'but not for a policy',
      'GET /v1/acl/roles',
      {
        status: 200,
        body: [
          {
            ID: '<uuid 2>',
            Name: 'uno',
            Description: '',
            Policies: [{ ID: '<uuid 1>', Name: 'linked' }],
            Hash: '<hash>',
            CreateIndex: '<index 2>',
            ModifyIndex: '<index 4>',
          },
        ],
        index: '<index 4>',
        woken: false,
      },
      {
        blocks: {
          wait: '1s',
          meanwhile: [{ method: 'PUT', path: '/v1/acl/policy', body: { Name: 'noise' } }],
        },
      },
    ),
    exchange(
      'the policy is renamed',
      'PUT /v1/acl/policy/{{policy}}',
      {
        status: 200,
        body: {
          ID: '<uuid 1>',
          Name: 'renamed',
          Description: '',
          Rules: '',
          Hash: '<hash>',
          CreateIndex: '<index 1>',
          ModifyIndex: '<index 5>',
        },
      },
      { body: { Name: 'renamed' } },
    ),
    exchange('the role follows', 'GET /v1/acl/role/{{id}}', {
      status: 200,
      body: {
        ID: '<uuid 2>',
        Name: 'uno',
        Description: '',
        Policies: [{ ID: '<uuid 1>', Name: 'renamed' }],
        Hash: '<hash>',
        CreateIndex: '<index 2>',
        ModifyIndex: '<index 4>',
      },
      index: '<index 4>',
    }),
    exchange('the policy goes', 'DELETE /v1/acl/policy/{{policy}}', { status: 200, body: true }),
    exchange('the link goes with it', 'GET /v1/acl/role/{{id}}', {
      status: 200,
      body: {
        ID: '<uuid 2>',
        Name: 'uno',
        Description: '',
        Hash: '<hash>',
        CreateIndex: '<index 2>',
        ModifyIndex: '<index 4>',
      },
      index: '<index 4>',
    }),
    exchange(
      'an update of what is not there',
      'PUT /v1/acl/role/11111111-2222-3333-4444-555555555555',
      { status: 500, body: 'cannot find role <uuid 3>' },
      { body: { Name: 'x' } },
    ),
    exchange('a delete', 'DELETE /v1/acl/role/{{id}}', { status: 200, body: true }),
    exchange('a repeated delete', 'DELETE /v1/acl/role/{{id}}', { status: 200, body: true }),
    exchange('the list is empty', 'GET /v1/acl/roles', { status: 200, body: [], index: '<index 6>' }),
  ],
};
