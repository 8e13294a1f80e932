import { aclAuthMethodsBeginning } from './acl-auth-methods-beginning.js';
import { denied, METHOD, malformed, method, ok, refused, toldMethod } from './acl-parts.js';
import { exchange, type Scenario } from './exchange.js';

export const aclAuthMethods: Scenario = {
  name: 'auth methods',
  exchanges: [
    ...aclAuthMethodsBeginning,
    refused(
      'no config',
      METHOD,
      "Invalid Auth Method: exactly one of 'JWTValidationPubKeys', 'JWKSURL', or 'OIDCDiscoveryURL' must be set for type \"jwt\"",
      { body: { Name: 'x', Type: 'jwt' } },
    ),
    refused(
      'an empty config',
      METHOD,
      "Invalid Auth Method: exactly one of 'JWTValidationPubKeys', 'JWKSURL', or 'OIDCDiscoveryURL' must be set for type \"jwt\"",
      { body: { Name: 'x', Type: 'jwt', Config: {} } },
    ),
    malformed(
      'a config that is a text',
      METHOD,
      'AuthMethod decoding failed: json: cannot unmarshal string into Go struct field .Alias.Config of type map[string]interface {}',
      { body: { Name: 'x', Type: 'jwt', Config: 'x' } },
    ),
    refused(
      'an unknown key',
      METHOD,
      "Invalid Auth Method: error decoding config: 1 error(s) decoding:\n\n* '' has invalid keys: Foo",
      { body: method({ Name: 'x' }, { Foo: 1 }) },
    ),
    exchange(
      'a key in another case',
      METHOD,
      ok(toldMethod(method({ Name: 'seven' }, { BoundIssuer: undefined, boundissuer: 'other' }), 13)),
      { body: method({ Name: 'seven' }, { BoundIssuer: undefined, boundissuer: 'other' }) },
    ),
    refused(
      'a key twice in two cases',
      METHOD,
      "Invalid Auth Method: error decoding config: 1 error(s) decoding:\n\n* '' has invalid keys: boundissuer",
      { body: method({ Name: 'x' }, { boundissuer: 'other' }) },
    ),
    exchange(
      'a text for a list',
      METHOD,
      ok(toldMethod(method({ Name: 'seven' }, { BoundAudiences: 'consul' }), 13, 14)),
      { body: method({ Name: 'seven' }, { BoundAudiences: 'consul' }) },
    ),
    exchange(
      'a number for a text',
      METHOD,
      ok(toldMethod(method({ Name: 'seven' }, { BoundIssuer: 7, ClaimMappings: { a: 1 } }), 13, 15)),
      { body: method({ Name: 'seven' }, { BoundIssuer: 7, ClaimMappings: { a: 1 } }) },
    ),
    refused(
      'a list for a text',
      METHOD,
      "Invalid Auth Method: error decoding config: 1 error(s) decoding:\n\n* 'BoundIssuer' expected type 'string', got unconvertible type '[]interface {}', value: '[a]'",
      { body: method({ Name: 'x' }, { BoundIssuer: ['a'] }) },
    ),
    refused(
      'a list for a map',
      METHOD,
      "Invalid Auth Method: error decoding config: 1 error(s) decoding:\n\n* 'ClaimMappings[0]' expected a map, got 'string'",
      { body: method({ Name: 'x' }, { ClaimMappings: ['a'] }) },
    ),
    exchange(
      'a leeway',
      METHOD,
      ok(
        toldMethod(
          method({ Name: 'seven' }, { ExpirationLeeway: 5, NotBeforeLeeway: '7', ClockSkewLeeway: -1 }),
          13,
          16,
        ),
      ),
      { body: method({ Name: 'seven' }, { ExpirationLeeway: 5, NotBeforeLeeway: '7', ClockSkewLeeway: -1 }) },
    ),
    refused(
      'a leeway in words',
      METHOD,
      'Invalid Auth Method: error decoding config: 1 error(s) decoding:\n\n* cannot parse \'ClockSkewLeeway\' as int: strconv.ParseInt: parsing "5s": invalid syntax',
      { body: method({ Name: 'x' }, { ClockSkewLeeway: '5s' }) },
    ),
    exchange(
      'empty values',
      METHOD,
      ok(
        toldMethod(
          method(
            { Name: 'seven' },
            { BoundIssuer: '', BoundAudiences: null, ClaimMappings: null, JWKSURL: '', JWKSCACert: '' },
          ),
          13,
          17,
        ),
      ),
      {
        body: method(
          { Name: 'seven' },
          { BoundIssuer: '', BoundAudiences: null, ClaimMappings: null, JWKSURL: '', JWKSCACert: '' },
        ),
      },
    ),
    refused(
      'keys and a URL',
      METHOD,
      "Invalid Auth Method: exactly one of 'JWTValidationPubKeys', 'JWKSURL', or 'OIDCDiscoveryURL' must be set for type \"jwt\"",
      { body: method({ Name: 'x' }, { JWKSURL: '{{idp}}/jwks' }) },
    ),
    refused(
      'two URLs',
      METHOD,
      "Invalid Auth Method: exactly one of 'JWTValidationPubKeys', 'JWKSURL', or 'OIDCDiscoveryURL' must be set for type \"jwt\"",
      { body: { Name: 'x', Type: 'jwt', Config: { JWKSURL: '{{idp}}/jwks', OIDCDiscoveryURL: '{{idp}}' } } },
    ),
    refused(
      'a key that is none',
      METHOD,
      'Invalid Auth Method: error parsing public key JWTValidationPubKeys[0]: data does not contain any valid RSA, ECDSA, or ED25519 public keys',
      { body: { Name: 'x', Type: 'jwt', Config: { JWTValidationPubKeys: ['x'] } } },
    ),
    refused(
      'a certificate of nothing',
      METHOD,
      "Invalid Auth Method: 'JWKSCACert' should not be set unless 'JWKSURL' is set",
      { body: method({ Name: 'x' }, { JWKSCACert: 'x' }) },
    ),
    refused(
      'a discovery certificate of nothing',
      METHOD,
      "Invalid Auth Method: 'OIDCDiscoveryCACert' should not be set unless 'OIDCDiscoveryURL' is set",
      { body: method({ Name: 'x' }, { OIDCDiscoveryCACert: 'x' }) },
    ),
    refused('an unknown algorithm', METHOD, 'Invalid Auth Method: Invalid supported algorithm: HS256', {
      body: method({ Name: 'x' }, { JWTSupportedAlgs: ['HS256'] }),
    }),
    refused('no algorithm at all', METHOD, 'Invalid Auth Method: Invalid supported algorithm: none', {
      body: method({ Name: 'x' }, { JWTSupportedAlgs: ['none'] }),
    }),
    refused(
      'a mapping twice',
      METHOD,
      'Invalid Auth Method: ClaimMappings contains multiple mappings for key "x"',
      { body: method({ Name: 'x' }, { ClaimMappings: { a: 'x', b: 'x' } }) },
    ),
    refused(
      'a list mapping twice',
      METHOD,
      'Invalid Auth Method: ListClaimMappings contains multiple mappings for key "x"',
      { body: method({ Name: 'x' }, { ListClaimMappings: { a: 'x', b: 'x' } }) },
    ),
    exchange(
      'one name for a claim and a list',
      METHOD,
      ok(
        toldMethod(
          method({ Name: 'seven' }, { ClaimMappings: { a: 'x' }, ListClaimMappings: { b: 'x' } }),
          13,
          18,
        ),
      ),
      { body: method({ Name: 'seven' }, { ClaimMappings: { a: 'x' }, ListClaimMappings: { b: 'x' } }) },
    ),
    exchange(
      'odd names',
      METHOD,
      ok(toldMethod(method({ Name: 'seven' }, { ClaimMappings: { 'a b': 'c d', '': 'e', f: '' } }), 13, 19)),
      { body: method({ Name: 'seven' }, { ClaimMappings: { 'a b': 'c d', '': 'e', f: '' } }) },
    ),
    exchange(
      'keys by URL',
      METHOD,
      ok(toldMethod({ Name: 'eight', Type: 'jwt', Config: { JWKSURL: '{{idp}}/jwks' } }, 20)),
      { body: { Name: 'eight', Type: 'jwt', Config: { JWKSURL: '{{idp}}/jwks' } } },
    ),
    exchange(
      'keys by discovery',
      METHOD,
      ok(
        toldMethod(
          { Name: 'eight', Type: 'jwt', Config: { OIDCDiscoveryURL: '{{idp}}', BoundIssuer: '{{idp}}' } },
          20,
          21,
        ),
      ),
      {
        body: { Name: 'eight', Type: 'jwt', Config: { OIDCDiscoveryURL: '{{idp}}', BoundIssuer: '{{idp}}' } },
      },
    ),
    refused(
      'a URL where nobody listens',
      METHOD,
      'Invalid Auth Method: error checking JWKSURL: fetching keys oidc: get keys failed Get "http://127.0.0.1:1/jwks": dial tcp 127.0.0.1:1: connect: connection refused',
      { body: { Name: 'x', Type: 'jwt', Config: { JWKSURL: 'http://127.0.0.1:1/jwks' } } },
    ),
    refused(
      'a discovery URL where nobody listens',
      METHOD,
      'Invalid Auth Method: error checking OIDCDiscoveryURL: Get "http://127.0.0.1:1/.well-known/openid-configuration": dial tcp 127.0.0.1:1: connect: connection refused',
      { body: { Name: 'x', Type: 'jwt', Config: { OIDCDiscoveryURL: 'http://127.0.0.1:1' } } },
    ),
    refused(
      'a URL without a scheme',
      METHOD,
      'Invalid Auth Method: error checking JWKSURL: fetching keys oidc: get keys failed Get "nonsense": unsupported protocol scheme ""',
      { body: { Name: 'x', Type: 'jwt', Config: { JWKSURL: 'nonsense' } } },
    ),
    exchange(
      'a URL that answers no keys',
      METHOD,
      ok(
        toldMethod(
          { Name: 'x', Type: 'jwt', Config: { JWKSURL: '{{idp}}/.well-known/openid-configuration' } },
          22,
        ),
      ),
      { body: { Name: 'x', Type: 'jwt', Config: { JWKSURL: '{{idp}}/.well-known/openid-configuration' } } },
    ),
    refused(
      'discovery of another issuer',
      METHOD,
      'Invalid Auth Method: error checking OIDCDiscoveryURL: oidc: issuer did not match the issuer returned by provider, expected "<idp>/" got "<idp>"',
      { body: { Name: 'x', Type: 'jwt', Config: { OIDCDiscoveryURL: '{{idp}}/' } } },
    ),
    malformed('an empty body', METHOD, 'AuthMethod decoding failed: EOF', { text: '' }),
    malformed('half a body', METHOD, 'AuthMethod decoding failed: unexpected EOF', { text: '{' }),
    denied(
      'by nobody',
      METHOD,
      "Permission denied: token with AccessorID '00000000-0000-0000-0000-000000000002' lacks permission 'acl:write'",
      { body: method(), as: 'nobody' },
    ),
    denied(
      'listed by nobody',
      'GET /v1/acl/auth-methods',
      "Permission denied: token with AccessorID '00000000-0000-0000-0000-000000000002' lacks permission 'acl:read'",
      { as: 'nobody' },
    ),
    denied(
      'read by nobody',
      'GET /v1/acl/auth-method/one',
      "Permission denied: token with AccessorID '00000000-0000-0000-0000-000000000002' lacks permission 'acl:read'",
      { as: 'nobody' },
    ),
    denied(
      'deleted by nobody',
      'DELETE /v1/acl/auth-method/one',
      "Permission denied: token with AccessorID '00000000-0000-0000-0000-000000000002' lacks permission 'acl:write'",
      { as: 'nobody' },
    ),
    malformed('reading no name', 'GET /v1/acl/auth-method/', 'Missing auth method name'),
    malformed('deleting no name', 'DELETE /v1/acl/auth-method/', 'Missing auth method name'),
    exchange('a name under a name', 'GET /v1/acl/auth-method/a/b', {
      status: 404,
      body: '',
      index: '<index 22>',
    }),
    exchange('deleted', 'DELETE /v1/acl/auth-method/ONE', ok(true)),
    exchange('deleted again', 'DELETE /v1/acl/auth-method/one', ok(true)),
    exchange('gone', 'GET /v1/acl/auth-method/one', { status: 404, body: '', index: '<index 23>' }),
    exchange(
      'a wrong method',
      'POST /v1/acl/auth-method',
      { status: 405, body: 'method POST not allowed', allow: 'OPTIONS,PUT' },
      { body: method() },
    ),
  ],
};
