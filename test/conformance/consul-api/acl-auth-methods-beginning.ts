import { byKeys, listedMethod, METHOD, malformed, method, ok, refused, toldMethod } from './acl-parts.js';
import { type Exchange, exchange } from './exchange.js';

export const aclAuthMethodsBeginning: readonly Exchange[] = [
  exchange('none', 'GET /v1/acl/auth-methods', ok([], { index: '<index 1>' })),
  exchange('a missing one', 'GET /v1/acl/auth-method/one', { status: 404, body: '', index: '<index 1>' }),
  exchange(
    'one',
    METHOD,
    ok(
      toldMethod(
        method(
          {},
          {
            BoundAudiences: ['consul'],
            JWTSupportedAlgs: ['RS256'],
            ClaimMappings: { azp: 'client', '/act/sub': 'actor' },
            ListClaimMappings: { groups: 'groups' },
          },
        ),
        2,
      ),
    ),
    {
      body: method(
        {},
        {
          BoundAudiences: ['consul'],
          JWTSupportedAlgs: ['RS256'],
          ClaimMappings: { azp: 'client', '/act/sub': 'actor' },
          ListClaimMappings: { groups: 'groups' },
        },
      ),
    },
  ),
  exchange(
    'it is listed without its Config',
    'GET /v1/acl/auth-methods',
    ok([listedMethod(method(), 2)], { index: '<index 2>' }),
  ),
  exchange(
    'it is read',
    'GET /v1/acl/auth-method/one',
    ok(
      toldMethod(
        method(
          {},
          {
            BoundAudiences: ['consul'],
            ClaimMappings: { '/act/sub': 'actor', azp: 'client' },
            JWTSupportedAlgs: ['RS256'],
            ListClaimMappings: { groups: 'groups' },
          },
        ),
        2,
      ),
      { index: '<index 2>' },
    ),
  ),
  exchange(
    'in another case',
    'GET /v1/acl/auth-method/ONE',
    ok(
      toldMethod(
        method(
          {},
          {
            BoundAudiences: ['consul'],
            ClaimMappings: { '/act/sub': 'actor', azp: 'client' },
            JWTSupportedAlgs: ['RS256'],
            ListClaimMappings: { groups: 'groups' },
          },
        ),
        2,
      ),
      { index: '<index 2>' },
    ),
  ),
  exchange(
    'waiting for another',
    'GET /v1/acl/auth-methods',
    ok(
      [
        listedMethod(method(), 2),
        listedMethod(
          method({ Name: 'two', MaxTokenTTL: '1h1m1s', DisplayName: 'Two', TokenLocality: 'global' }),
          3,
        ),
      ],
      { index: '<index 3>', woken: true },
    ),
    {
      blocks: {
        wait: '5s',
        meanwhile: [
          {
            method: 'PUT',
            path: '/v1/acl/auth-method',
            body: method({ Name: 'two', MaxTokenTTL: '3661s', TokenLocality: 'global', DisplayName: 'Two' }),
          },
        ],
      },
    },
  ),
  exchange(
    'waiting for one, and another changes',
    'GET /v1/acl/auth-method/one',
    ok(
      toldMethod(
        method(
          {},
          {
            BoundAudiences: ['consul'],
            ClaimMappings: { '/act/sub': 'actor', azp: 'client' },
            JWTSupportedAlgs: ['RS256'],
            ListClaimMappings: { groups: 'groups' },
          },
        ),
        2,
      ),
      { index: '<index 3>', woken: false },
    ),
    {
      blocks: {
        wait: '300ms',
        meanwhile: [{ method: 'PUT', path: '/v1/acl/auth-method', body: method({ Name: 'two' }) }],
      },
    },
  ),
  exchange(
    'waiting for one that changes',
    'GET /v1/acl/auth-method/one',
    ok(toldMethod(method({ Description: 'changed' }), 2, 4), { index: '<index 4>', woken: true }),
    {
      blocks: {
        wait: '5s',
        meanwhile: [{ method: 'PUT', path: '/v1/acl/auth-method', body: method({ Description: 'changed' }) }],
      },
    },
  ),
  exchange(
    'another case overwrites it',
    METHOD,
    ok(toldMethod(method({ Name: 'ONE', Description: 'over' }), 2, 5)),
    { body: method({ Name: 'ONE', Description: 'over' }) },
  ),
  exchange(
    'under its name',
    'PUT /v1/acl/auth-method/one',
    ok(toldMethod(method({ Description: 'by name' }), 2, 6)),
    { body: method({ Description: 'by name' }) },
  ),
  malformed(
    'under another case',
    'PUT /v1/acl/auth-method/ONE',
    'AuthMethod Name in URL and payload do not match',
    { body: method({ Description: 'by name' }) },
  ),
  malformed(
    'under another name',
    'PUT /v1/acl/auth-method/two',
    'AuthMethod Name in URL and payload do not match',
    { body: method() },
  ),
  exchange(
    'without a name in the body',
    'PUT /v1/acl/auth-method/one',
    ok(toldMethod(method({ Name: undefined, Description: 'unnamed' }), 2, 7, { Name: 'one' })),
    { body: method({ Name: undefined, Description: 'unnamed' }) },
  ),
  exchange(
    'under a name that is not there',
    'PUT /v1/acl/auth-method/three',
    ok(toldMethod(method({ Name: 'three' }), 8)),
    { body: method({ Name: 'three' }) },
  ),
  exchange(
    'it is listed in order',
    'GET /v1/acl/auth-methods',
    ok(
      [
        listedMethod(method({ Description: 'unnamed' }), 2, 7),
        listedMethod(method({ Name: 'three' }), 8),
        listedMethod(method({ Name: 'two' }), 3, 9),
      ],
      { index: '<index 8>' },
    ),
  ),
  refused('no name', METHOD, 'Invalid Auth Method: no Name is set', {
    body: { Type: 'jwt', Config: byKeys },
  }),
  refused(
    'a bad name',
    METHOD,
    "Invalid Auth Method: invalid Name. Only alphanumeric characters, '-' and '_' are allowed",
    { body: method({ Name: 'a b' }) },
  ),
  refused(
    'a name too long',
    METHOD,
    "Invalid Auth Method: invalid Name. Only alphanumeric characters, '-' and '_' are allowed",
    {
      body: method({
        Name: 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx',
      }),
    },
  ),
  refused('no type', METHOD, 'Invalid Auth Method: Type should be one of: [aws-iam jwt kubernetes]', {
    body: { Name: 'x', Config: byKeys },
  }),
  refused('an unknown type', METHOD, 'the Type field of an Auth Method is immutable', {
    body: method({ Type: 'github' }),
  }),
  refused('oidc', METHOD, 'Invalid Auth Method: Type should be one of: [aws-iam jwt kubernetes]', {
    body: method({ Name: 'x', Type: 'oidc' }),
  }),
  refused('another type than it has', METHOD, 'the Type field of an Auth Method is immutable', {
    body: method(
      { Type: 'kubernetes' },
      {
        JWTValidationPubKeys: undefined,
        BoundIssuer: undefined,
        Host: 'https://a',
        CACert: 'x',
        ServiceAccountJWT: 'y',
      },
    ),
  }),
  malformed('a bad duration', METHOD, 'AuthMethod decoding failed: time: invalid duration "soon"', {
    body: method({ MaxTokenTTL: 'soon' }),
  }),
  exchange(
    'a duration as nanoseconds',
    METHOD,
    ok(toldMethod(method({ Name: 'four', MaxTokenTTL: 61500000000 }), 10, 10, { MaxTokenTTL: '1m1.5s' })),
    { body: method({ Name: 'four', MaxTokenTTL: 61500000000 }) },
  ),
  refused('too short', METHOD, 'MaxTokenTTL 59s cannot be less than 1m0s', {
    body: method({ MaxTokenTTL: '59s' }),
  }),
  refused('too long', METHOD, 'MaxTokenTTL 25h0m0s cannot be more than 24h0m0s', {
    body: method({ MaxTokenTTL: '25h' }),
  }),
  refused('negative', METHOD, 'MaxTokenTTL -5m0s cannot be less than 1m0s', {
    body: method({ MaxTokenTTL: '-5m' }),
  }),
  exchange(
    'no end',
    METHOD,
    ok(toldMethod(method({ Name: 'five', MaxTokenTTL: '0s' }), 11, 11, { MaxTokenTTL: undefined })),
    { body: method({ Name: 'five', MaxTokenTTL: '0s' }) },
  ),
  refused(
    'a bad locality',
    METHOD,
    "Invalid Auth Method: TokenLocality should be one of 'local' or 'global'",
    { body: method({ TokenLocality: 'everywhere' }) },
  ),
  exchange('a local one', METHOD, ok(toldMethod(method({ Name: 'six', TokenLocality: 'local' }), 12)), {
    body: method({ Name: 'six', TokenLocality: 'local' }),
  }),
  malformed('an unknown field', METHOD, 'AuthMethod decoding failed: json: unknown field "Foo"', {
    body: method({ Foo: 1 }),
  }),
  malformed(
    'rules of namespaces',
    METHOD,
    'AuthMethod decoding failed: json: unknown field "NamespaceRules"',
    { body: method({ NamespaceRules: [] }) },
  ),
];
