import {
  denied,
  fullMethod,
  LOGIN,
  METHOD,
  malformed,
  ok,
  RULE,
  refused,
  toldMethod,
  toldRule,
  toldToken,
} from './acl-parts.js';
import { type Exchange, exchange, forgedJwt, jwt } from './exchange.js';

export const aclLoginsBeginning: readonly Exchange[] = [
  exchange(
    'a policy',
    'PUT /v1/acl/policy',
    ok({
      ID: '<uuid 1>',
      Name: 'reads',
      Description: '',
      Rules: 'key_prefix "" { policy = "read" }',
      Hash: '<hash>',
      CreateIndex: '<index 1>',
      ModifyIndex: '<index 1>',
    }),
    { body: { Name: 'reads', Rules: 'key_prefix "" { policy = "read" }' } },
  ),
  exchange(
    'a role',
    'PUT /v1/acl/role',
    ok({
      ID: '<uuid 2>',
      Name: 'b',
      Description: '',
      Policies: [{ ID: '<uuid 1>', Name: 'reads' }],
      Hash: '<hash>',
      CreateIndex: '<index 2>',
      ModifyIndex: '<index 2>',
    }),
    { body: { Name: 'b', Policies: [{ Name: 'reads' }] }, save: { role: 'ID' } },
  ),
  exchange(
    'another',
    'PUT /v1/acl/role',
    ok({
      ID: '<uuid 3>',
      Name: 'for-shop',
      Description: '',
      Hash: '<hash>',
      CreateIndex: '<index 3>',
      ModifyIndex: '<index 3>',
    }),
    { body: { Name: 'for-shop' } },
  ),
  exchange('a method', METHOD, ok(toldMethod(fullMethod(), 4)), { body: fullMethod() }),
  denied('without a rule', LOGIN, 'Permission denied', {
    as: 'nobody',
    body: { AuthMethod: 'one', BearerToken: jwt({ azp: 'shop' }) },
  }),
  exchange(
    'a rule',
    RULE,
    ok(
      toldRule(
        { AuthMethod: 'one', Selector: 'value.client == shop', BindType: 'role', BindName: 'b' },
        4,
        5,
      ),
    ),
    {
      body: { AuthMethod: 'one', BindType: 'role', BindName: 'b', Selector: 'value.client == shop' },
      save: { id: 'ID' },
    },
  ),
  exchange(
    'a login',
    LOGIN,
    ok(
      toldToken(5, 6, {
        Description: 'token created via login: {"a":"b","pod":"p"}',
        Roles: [{ ID: '<uuid 2>', Name: 'b' }],
      }),
    ),
    {
      as: 'nobody',
      body: { AuthMethod: 'one', BearerToken: jwt({ azp: 'shop' }), Meta: { pod: 'p', a: 'b' } },
      save: { accessor: 'AccessorID', secret: 'SecretID' },
    },
  ),
  exchange(
    'may do what the role may',
    'GET /v1/kv/x',
    { status: 404, body: '', index: '<index 7>' },
    { as: 'secret' },
  ),
  denied(
    'and no more',
    'PUT /v1/kv/x',
    "Permission denied: token with AccessorID '<uuid 5>' lacks permission 'key:write' on \"x\"",
    { as: 'secret', text: 'x' },
  ),
  exchange(
    'reads itself',
    'GET /v1/acl/token/self',
    ok(
      toldToken(5, 6, {
        Description: 'token created via login: {"a":"b","pod":"p"}',
        Roles: [{ ID: '<uuid 2>', Name: 'b' }],
      }),
      { index: '<index 6>' },
    ),
    { as: 'secret' },
  ),
  exchange(
    'is read by others',
    'GET /v1/acl/token/{{accessor}}',
    ok(
      toldToken(5, 6, {
        Description: 'token created via login: {"a":"b","pod":"p"}',
        Roles: [{ ID: '<uuid 2>', Name: 'b' }],
      }),
      { index: '<index 6>' },
    ),
  ),
  exchange(
    'is listed by its method, in any case',
    'GET /v1/acl/tokens?authmethod=ONE',
    ok(
      [
        toldToken(5, 6, {
          Description: 'token created via login: {"a":"b","pod":"p"}',
          Roles: [{ ID: '<uuid 2>', Name: 'b' }],
        }),
      ],
      { index: '<index 6>' },
    ),
  ),
  exchange(
    'is listed by its role',
    'GET /v1/acl/tokens?role={{role}}',
    ok(
      [
        toldToken(5, 6, {
          Description: 'token created via login: {"a":"b","pod":"p"}',
          Roles: [{ ID: '<uuid 2>', Name: 'b' }],
        }),
      ],
      { index: '<index 6>' },
    ),
  ),
  denied('no method', LOGIN, 'ACL not found: auth method "" not found', {
    as: 'nobody',
    body: { BearerToken: jwt({ azp: 'shop' }) },
  }),
  refused('no bearer', LOGIN, 'missing jwt', { as: 'nobody', body: { AuthMethod: 'one' } }),
  denied('a method that is not there', LOGIN, 'ACL not found: auth method "nope" not found', {
    as: 'nobody',
    body: { AuthMethod: 'nope', BearerToken: jwt({ azp: 'shop' }) },
  }),
  exchange('in another case', LOGIN, ok(toldToken(7, 8, { Roles: [{ ID: '<uuid 2>', Name: 'b' }] })), {
    as: 'nobody',
    body: { AuthMethod: 'ONE', BearerToken: jwt({ azp: 'shop' }) },
  }),
  exchange('with a token beside it', LOGIN, ok(toldToken(9, 9, { Roles: [{ ID: '<uuid 2>', Name: 'b' }] })), {
    body: { AuthMethod: 'one', BearerToken: jwt({ azp: 'shop' }) },
  }),
  exchange(
    'with an unknown token beside it',
    LOGIN,
    ok(toldToken(11, 10, { Roles: [{ ID: '<uuid 2>', Name: 'b' }] })),
    { as: 'stranger', body: { AuthMethod: 'one', BearerToken: jwt({ azp: 'shop' }) } },
  ),
  refused(
    'a bearer that is no JWT',
    LOGIN,
    'error parsing token: square/go-jose: compact JWS format must have three parts',
    { as: 'nobody', body: { AuthMethod: 'one', BearerToken: 'x' } },
  ),
  refused('a forged one', LOGIN, 'no known key successfully validated the token signature', {
    as: 'nobody',
    body: { AuthMethod: 'one', BearerToken: forgedJwt({ azp: 'shop' }) },
  }),
  refused(
    'one of another issuer',
    LOGIN,
    'error validating claims: square/go-jose/jwt: validation failed, invalid issuer claim (iss)',
    { as: 'nobody', body: { AuthMethod: 'one', BearerToken: jwt({ azp: 'shop', iss: 'other' }) } },
  ),
  refused(
    'one for another audience',
    LOGIN,
    'error validating claims: aud claim does not match any bound audience',
    { as: 'nobody', body: { AuthMethod: 'one', BearerToken: jwt({ azp: 'shop', aud: 'other' }) } },
  ),
  exchange(
    'one for several audiences',
    LOGIN,
    ok(toldToken(13, 11, { Roles: [{ ID: '<uuid 2>', Name: 'b' }] })),
    {
      as: 'nobody',
      body: { AuthMethod: 'one', BearerToken: jwt({ azp: 'shop', aud: ['other', 'consul'] }) },
    },
  ),
  refused(
    'one without an audience',
    LOGIN,
    'error validating claims: aud claim does not match any bound audience',
    { as: 'nobody', body: { AuthMethod: 'one', BearerToken: jwt({ azp: 'shop', aud: null }) } },
  ),
  refused(
    'an expired one',
    LOGIN,
    'error validating claims: square/go-jose/jwt: validation failed, token is expired (exp)',
    { as: 'nobody', body: { AuthMethod: 'one', BearerToken: jwt({ azp: 'shop', iat: 1000, exp: 2000 }) } },
  ),
  refused(
    'one not valid yet',
    LOGIN,
    'error validating claims: square/go-jose/jwt: validation failed, token not valid yet (nbf)',
    {
      as: 'nobody',
      body: { AuthMethod: 'one', BearerToken: jwt({ azp: 'shop', nbf: 4000000000, exp: 4100000000 }) },
    },
  ),
  refused(
    'one issued in the future',
    LOGIN,
    'error validating claims: square/go-jose/jwt: validation failed, token not valid yet (nbf)',
    {
      as: 'nobody',
      body: { AuthMethod: 'one', BearerToken: jwt({ azp: 'shop', iat: 4000000000, exp: 4100000000 }) },
    },
  ),
  refused('one without any time', LOGIN, 'no issue time, notbefore, or expiration time encoded in token', {
    as: 'nobody',
    body: { AuthMethod: 'one', BearerToken: jwt({ azp: 'shop', iat: null, exp: null }) },
  }),
  exchange('one without an end', LOGIN, ok(toldToken(15, 12, { Roles: [{ ID: '<uuid 2>', Name: 'b' }] })), {
    as: 'nobody',
    body: { AuthMethod: 'one', BearerToken: jwt({ azp: 'shop', exp: null }) },
  }),
  refused(
    'one without a beginning',
    LOGIN,
    'error validating claims: square/go-jose/jwt: validation failed, token not valid yet (nbf)',
    { as: 'nobody', body: { AuthMethod: 'one', BearerToken: jwt({ azp: 'shop', iat: null }) } },
  ),
  refused(
    'one without an issuer',
    LOGIN,
    'error validating claims: square/go-jose/jwt: validation failed, invalid issuer claim (iss)',
    { as: 'nobody', body: { AuthMethod: 'one', BearerToken: jwt({ azp: 'shop', iss: null }) } },
  ),
  denied('one that no rule admits', LOGIN, 'Permission denied', {
    as: 'nobody',
    body: { AuthMethod: 'one', BearerToken: jwt({ azp: 'other' }) },
  }),
  malformed(
    'Meta that is none',
    LOGIN,
    'Failed to decode request body: json: cannot unmarshal string into Go struct field ACLLoginParams.Meta of type map[string]string',
    { as: 'nobody', body: { AuthMethod: 'one', BearerToken: jwt({ azp: 'shop' }), Meta: 'x' } },
  ),
  exchange('an empty Meta', LOGIN, ok(toldToken(17, 13, { Roles: [{ ID: '<uuid 2>', Name: 'b' }] })), {
    as: 'nobody',
    body: { AuthMethod: 'one', BearerToken: jwt({ azp: 'shop' }), Meta: {} },
  }),
  malformed('an unknown field', LOGIN, 'Failed to decode request body: json: unknown field "Foo"', {
    as: 'nobody',
    body: { AuthMethod: 'one', BearerToken: jwt({ azp: 'shop' }), Foo: 1 },
  }),
  malformed('an empty body', LOGIN, 'Failed to decode request body: EOF', { as: 'nobody', text: '' }),
  exchange(
    'a wrong method',
    'PUT /v1/acl/login',
    { status: 405, body: 'method PUT not allowed', allow: 'OPTIONS,POST' },
    { as: 'nobody', body: { AuthMethod: 'one', BearerToken: 'x' } },
  ),
];
