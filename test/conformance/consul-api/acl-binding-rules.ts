import { denied, METHOD, malformed, method, ok, RULE, refused, toldMethod, toldRule } from './acl-parts.js';
import { exchange, type Scenario } from './exchange.js';

export const aclBindingRules: Scenario = {
  name: 'binding rules',
  exchanges: [
    exchange('none', 'GET /v1/acl/binding-rules', ok([], { index: '<index 1>' })),
    exchange(
      'a method',
      METHOD,
      ok(
        toldMethod(
          method(
            {},
            { ClaimMappings: { azp: 'client', sub: 'subject' }, ListClaimMappings: { groups: 'groups' } },
          ),
          2,
        ),
      ),
      {
        body: method(
          {},
          { ClaimMappings: { azp: 'client', sub: 'subject' }, ListClaimMappings: { groups: 'groups' } },
        ),
      },
    ),
    exchange('another', METHOD, ok(toldMethod(method({ Name: 'two' }), 3)), {
      body: method({ Name: 'two' }),
    }),
    exchange(
      'a rule',
      RULE,
      ok(
        toldRule(
          {
            Description: 'd',
            AuthMethod: 'one',
            Selector: 'value.client == shop',
            BindType: 'role',
            BindName: 'a-role',
          },
          1,
          4,
        ),
      ),
      {
        body: {
          Description: 'd',
          AuthMethod: 'one',
          BindType: 'role',
          BindName: 'a-role',
          Selector: 'value.client == shop',
        },
        save: { id: 'ID' },
      },
    ),
    exchange(
      'by id',
      'GET /v1/acl/binding-rule/{{id}}',
      ok(
        toldRule(
          {
            Description: 'd',
            AuthMethod: 'one',
            Selector: 'value.client == shop',
            BindType: 'role',
            BindName: 'a-role',
          },
          1,
          4,
        ),
        { index: '<index 4>' },
      ),
    ),
    exchange(
      'an equal one is made beside it',
      RULE,
      ok(
        toldRule(
          {
            Description: 'd',
            AuthMethod: 'ONE',
            Selector: 'value.client == shop',
            BindType: 'role',
            BindName: 'a-role',
          },
          2,
          5,
        ),
      ),
      {
        body: {
          Description: 'd',
          AuthMethod: 'ONE',
          BindType: 'role',
          BindName: 'a-role',
          Selector: 'value.client == shop',
        },
        save: { other: 'ID' },
      },
    ),
    exchange(
      'of another method',
      RULE,
      ok(toldRule({ AuthMethod: 'two', BindType: 'node', BindName: 'n' }, 3, 6)),
      { body: { AuthMethod: 'two', BindType: 'node', BindName: 'n' } },
    ),
    exchange('deleted', 'DELETE /v1/acl/binding-rule/{{other}}', ok(true)),
    exchange('deleted again', 'DELETE /v1/acl/binding-rule/{{other}}', ok(true)),
    exchange(
      'listed by method, in any case',
      'GET /v1/acl/binding-rules?authmethod=One',
      ok(
        [
          toldRule(
            {
              Description: 'd',
              AuthMethod: 'one',
              Selector: 'value.client == shop',
              BindType: 'role',
              BindName: 'a-role',
            },
            1,
            4,
          ),
        ],
        { index: '<index 7>' },
      ),
    ),
    exchange(
      'listed by a method that is not there',
      'GET /v1/acl/binding-rules?authmethod=nope',
      ok([], { index: '<index 7>' }),
    ),
    exchange('a missing one', 'GET /v1/acl/binding-rule/00000000-0000-0000-0000-00000000000f', {
      status: 404,
      body: '',
      index: '<index 7>',
    }),
    refused(
      'an id that is none',
      'GET /v1/acl/binding-rule/x',
      'failed acl binding rule lookup: index error: UUID must be 36 characters',
    ),
    refused(
      'deleting what is no id',
      'DELETE /v1/acl/binding-rule/x',
      'failed acl binding rule lookup: index error: UUID must be 36 characters',
    ),
    malformed('deleting no id', 'DELETE /v1/acl/binding-rule/', 'Missing binding rule ID'),
    malformed('reading no id', 'GET /v1/acl/binding-rule/', 'Missing binding rule ID'),
    exchange(
      'waiting for a change',
      'GET /v1/acl/binding-rules?authmethod=one',
      ok([toldRule({ AuthMethod: 'one', BindType: 'service', BindName: 'web' }, 1, 4, 8)], {
        index: '<index 8>',
        woken: true,
      }),
      {
        blocks: {
          wait: '5s',
          meanwhile: [
            {
              method: 'PUT',
              path: '/v1/acl/binding-rule/{{id}}',
              body: { BindType: 'service', BindName: 'web', Selector: '' },
            },
          ],
        },
      },
    ),
    exchange(
      'changed, the method left out',
      'PUT /v1/acl/binding-rule/{{id}}',
      ok(
        toldRule(
          { AuthMethod: 'one', Selector: '"client" in value', BindType: 'role', BindName: 'b-role' },
          1,
          4,
          9,
        ),
      ),
      { body: { BindType: 'role', BindName: 'b-role', Selector: '"client" in value' } },
    ),
    refused(
      'its method cannot change',
      'PUT /v1/acl/binding-rule/{{id}}',
      'the AuthMethod field of an Binding Rule is immutable',
      { body: { AuthMethod: 'two', BindType: 'role', BindName: 'b' } },
    ),
    refused(
      'its method in another case',
      'PUT /v1/acl/binding-rule/{{id}}',
      'the AuthMethod field of an Binding Rule is immutable',
      { body: { AuthMethod: 'ONE', BindType: 'role', BindName: 'b' } },
    ),
    malformed(
      'another id in the body',
      'PUT /v1/acl/binding-rule/{{id}}',
      'BindingRule ID in URL and payload do not match',
      {
        body: {
          ID: '00000000-0000-0000-0000-00000000000f',
          AuthMethod: 'one',
          BindType: 'role',
          BindName: 'b',
        },
      },
    ),
    refused(
      'a missing one changed',
      'PUT /v1/acl/binding-rule/00000000-0000-0000-0000-00000000000f',
      'cannot find binding rule 00000000-0000-0000-0000-00000000000f',
      { body: { AuthMethod: 'one', BindType: 'role', BindName: 'b' } },
    ),
    refused('changed under what is no id', 'PUT /v1/acl/binding-rule/x', 'Binding Rule ID invalid UUID', {
      body: { AuthMethod: 'one', BindType: 'role', BindName: 'b' },
    }),
    malformed('an id where one is made', RULE, 'BindingRule ID in URL and payload do not match', {
      body: {
        ID: '00000000-0000-0000-0000-00000000000f',
        AuthMethod: 'one',
        BindType: 'role',
        BindName: 'b',
      },
    }),
    refused('no method', RULE, 'Invalid Binding Rule: no AuthMethod is set', {
      body: { BindType: 'role', BindName: 'b' },
    }),
    refused('a method that is not there', RULE, 'cannot find auth method with name "nope"', {
      body: { AuthMethod: 'nope', BindType: 'role', BindName: 'b' },
    }),
    refused('no type', RULE, 'Invalid Binding Rule: no BindType is set', {
      body: { AuthMethod: 'one', BindName: 'b' },
    }),
    refused('an unknown type', RULE, 'Invalid Binding Rule: unknown BindType "policy"', {
      body: { AuthMethod: 'one', BindType: 'policy', BindName: 'b' },
    }),
    refused('no name', RULE, 'Invalid Binding Rule: no BindName is set', {
      body: { AuthMethod: 'one', BindType: 'role' },
    }),
    refused('a name that is none', RULE, 'Invalid Binding Rule: invalid BindName', {
      body: { AuthMethod: 'one', BindType: 'role', BindName: 'a b' },
    }),
    refused('a service name in capitals', RULE, 'Invalid Binding Rule: invalid BindName', {
      body: { AuthMethod: 'one', BindType: 'service', BindName: 'Web' },
    }),
    refused('a service name too long', RULE, 'Invalid Binding Rule: invalid BindName', {
      body: {
        AuthMethod: 'one',
        BindType: 'service',
        BindName:
          'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx',
      },
    }),
    exchange(
      'a template',
      RULE,
      ok(
        toldRule(
          { AuthMethod: 'one', BindType: 'role', BindName: `r-\${value.client}-\${ value.subject }` },
          4,
          10,
        ),
      ),
      { body: { AuthMethod: 'one', BindType: 'role', BindName: `r-\${value.client}-\${ value.subject }` } },
    ),
    refused(
      'a template of an unmapped claim',
      RULE,
      'Invalid Binding Rule: invalid BindName: 1:3: unknown variable accessed: value.nope',
      { body: { AuthMethod: 'one', BindType: 'role', BindName: `\${value.nope}` } },
    ),
    refused(
      'a template of a list',
      RULE,
      'Invalid Binding Rule: invalid BindName: 1:3: unknown variable accessed: list.groups',
      { body: { AuthMethod: 'one', BindType: 'role', BindName: `\${list.groups}` } },
    ),
    refused(
      'a template cut off',
      RULE,
      'Invalid Binding Rule: invalid BindName: parse error at 1:15: expected "}" but found end of string',
      { body: { AuthMethod: 'one', BindType: 'role', BindName: `\${value.client` } },
    ),
    refused(
      'an empty template',
      RULE,
      'Invalid Binding Rule: invalid BindName: parse error at 1:3: expected expression but found "}"',
      { body: { AuthMethod: 'one', BindType: 'role', BindName: `\${}` } },
    ),
    refused(
      'a call in a template',
      RULE,
      'Invalid Binding Rule: invalid BindName: 1:3: unknown function called: lower',
      { body: { AuthMethod: 'one', BindType: 'role', BindName: `\${lower(value.client)}` } },
    ),
    refused('a dollar', RULE, 'Invalid Binding Rule: invalid BindName', {
      body: { AuthMethod: 'one', BindType: 'role', BindName: '$value' },
    }),
    refused('an escaped template', RULE, 'Invalid Binding Rule: invalid BindName', {
      body: { AuthMethod: 'one', BindType: 'role', BindName: `$\${value.client}` },
    }),
    malformed('an unknown field', RULE, 'BindingRule decoding failed: json: unknown field "BindVars"', {
      body: { AuthMethod: 'one', BindType: 'role', BindName: 'b', BindVars: {} },
    }),
    malformed('an empty body', RULE, 'BindingRule decoding failed: EOF', { text: '' }),
    denied(
      'by nobody',
      RULE,
      "Permission denied: token with AccessorID '00000000-0000-0000-0000-000000000002' lacks permission 'acl:write'",
      { body: { AuthMethod: 'one', BindType: 'role', BindName: 'b' }, as: 'nobody' },
    ),
    denied(
      'listed by nobody',
      'GET /v1/acl/binding-rules',
      "Permission denied: token with AccessorID '00000000-0000-0000-0000-000000000002' lacks permission 'acl:read'",
      { as: 'nobody' },
    ),
    denied(
      'read by nobody',
      'GET /v1/acl/binding-rule/{{id}}',
      "Permission denied: token with AccessorID '00000000-0000-0000-0000-000000000002' lacks permission 'acl:read'",
      { as: 'nobody' },
    ),
    denied(
      'deleted by nobody',
      'DELETE /v1/acl/binding-rule/{{id}}',
      "Permission denied: token with AccessorID '00000000-0000-0000-0000-000000000002' lacks permission 'acl:write'",
      { as: 'nobody' },
    ),
    exchange('the method goes', 'DELETE /v1/acl/auth-method/ONE', ok(true)),
    exchange(
      'and its rules with it',
      'GET /v1/acl/binding-rules',
      ok([toldRule({ AuthMethod: 'two', BindType: 'node', BindName: 'n' }, 3, 6)], { index: '<index 11>' }),
    ),
  ],
};
