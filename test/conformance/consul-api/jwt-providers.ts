import { type Expectation, exchange, type Scenario } from './exchange.js';

const OK: Expectation = { status: 200, body: true };
const refused = (body: string): Expectation => ({ status: 500, body });

const provider = (fields: Readonly<Record<string, unknown>> = {}) => ({
  body: {
    Kind: 'jwt-provider',
    Name: 'users',
    Issuer: 'https://sso.example.com/realms/main',
    Audiences: ['consul'],
    JSONWebKeySet: { Remote: { URI: 'https://sso.example.com/certs', FetchAsynchronously: true } },
    ...fields,
  },
});
const remote = (fields: Readonly<Record<string, unknown>>) => provider({ JSONWebKeySet: { Remote: fields } });

const intention = (jwt: unknown, more: Readonly<Record<string, unknown>> = {}) => ({
  body: {
    Kind: 'service-intentions',
    Name: 'api',
    Sources: [{ Name: 'web', Permissions: [{ Action: 'allow', HTTP: { PathPrefix: '/' }, JWT: jwt }] }],
    ...more,
  },
});

const PUT = 'PUT /v1/config';

/**
 * jwt-provider entries and JWT requirements from 1.16 on. What is expected is what the source says
 * (agent/structs/config_entry_jwt_provider.go, config_entry_intentions.go, agent/consul/state/config_entry.go of
 * hashicorp/consul): unlike all other exchanges these were not asked of a running Consul.
 */
export const jwtProviders: Scenario = {
  name: 'jwt-providers and JWT requirements',
  exchanges: [
    exchange('a list of none', 'GET /v1/config/jwt-provider', { status: 200, body: [], index: '<index 1>' }),
    exchange('an http destination', PUT, OK, {
      body: { Kind: 'service-defaults', Name: 'api', Protocol: 'http' },
    }),
    exchange(
      'an intention that names a provider which is not there',
      PUT,
      refused('1 error occurred:\n\t* Referenced JWT Provider does not exist. Provider Name: users\n\n'),
      intention({ Providers: [{ Name: 'users' }] }),
    ),
    exchange(
      'a provider without a key set',
      PUT,
      refused('JSONWebKeySet is required'),
      provider({ JSONWebKeySet: undefined }),
    ),
    exchange(
      'one with an empty key set',
      PUT,
      refused('must specify exactly one of Local or Remote JSON Web key set'),
      provider({ JSONWebKeySet: {} }),
    ),
    exchange(
      'one with two key sets',
      PUT,
      refused('must specify exactly one of Local or Remote JSON Web key set'),
      provider({ JSONWebKeySet: { Local: { Filename: 'a' }, Remote: { URI: 'https://a/b' } } }),
    ),
    exchange(
      'one with both kinds of local keys',
      PUT,
      refused('must specify exactly one of String or filename for local keyset'),
      provider({ JSONWebKeySet: { Local: { Filename: 'a', JWKS: 'e30=' } } }),
    ),
    exchange(
      'one whose local keys are no base64',
      PUT,
      refused('JWKS must be valid base64 encoded string'),
      provider({ JSONWebKeySet: { Local: { JWKS: '{}' } } }),
    ),
    exchange('one without the address of its keys', PUT, refused('Remote JWKS URI is required'), remote({})),
    exchange(
      'one whose address is none',
      PUT,
      refused('Remote JWKS URI is invalid: parse "certs": invalid URI for request, uri: certs'),
      remote({ URI: 'certs' }),
    ),
    exchange(
      'one that waits longer at first than at most',
      PUT,
      refused("retry policy backoff's MaxInterval should be greater or equal to BaseInterval"),
      remote({
        URI: 'https://a/b',
        RetryPolicy: { RetryPolicyBackOff: { BaseInterval: '2s', MaxInterval: '1s' } },
      }),
    ),
    exchange(
      'one of an unknown cluster',
      PUT,
      refused('unsupported jwks cluster discovery type: "FAR"'),
      remote({ URI: 'https://a/b', JWKSCluster: { DiscoveryType: 'FAR' } }),
    ),
    exchange(
      'one whose cluster trusts two things',
      PUT,
      refused(
        "must specify exactly one of: Filename, EnvironmentVariable, InlineString or InlineBytes for JWKS' TrustedCA",
      ),
      remote({
        URI: 'https://a/b',
        JWKSCluster: { TLSCertificates: { TrustedCA: { Filename: '/ca', InlineString: 'x' } } },
      }),
    ),
    exchange(
      'one with a location of two kinds',
      PUT,
      refused(
        '1 error occurred:\n\t* must set exactly one of: JWT location header, query param or cookie\n\n',
      ),
      provider({ Locations: [{ Header: { Name: 'A' }, Cookie: { Name: 'b' } }] }),
    ),
    exchange(
      'one with a header that has no name',
      PUT,
      refused('1 error occurred:\n\t* JWT location header name must be specified\n\n'),
      provider({ Locations: [{ Header: { ValuePrefix: 'Bearer ' } }] }),
    ),
    exchange(
      'one that forwards under no name',
      PUT,
      refused('Header name required for forwarding config'),
      provider({ Forwarding: { PadForwardPayloadHeader: true } }),
    ),
    exchange(
      'one with an unknown field',
      PUT,
      {
        status: 400,
        body: 'Request decoding failed: 1 error occurred:\n\t* invalid config key "Audience"\n\n',
      },
      provider({ Audience: 'consul' }),
    ),
    exchange('one without a name', PUT, refused('Name is required'), provider({ Name: '' })),
    exchange('a provider', PUT, OK, provider({ Meta: { owner: 'me' } })),
    exchange('has the clock skew that Consul gives it', 'GET /v1/config/jwt-provider/users', {
      status: 200,
      body: {
        Kind: 'jwt-provider',
        Name: 'users',
        JSONWebKeySet: { Remote: { URI: 'https://sso.example.com/certs', FetchAsynchronously: true } },
        Issuer: 'https://sso.example.com/realms/main',
        Audiences: ['consul'],
        ClockSkewSeconds: 30,
        Meta: { owner: 'me' },
        CreateIndex: '<index 2>',
        ModifyIndex: '<index 2>',
      },
      index: '<index 2>',
    }),
    exchange('created once more', 'PUT /v1/config?cas=0', { status: 200, body: false }, provider()),
    exchange(
      'a permission that requires a token of it',
      PUT,
      OK,
      intention({ Providers: [{ Name: 'users', VerifyClaims: [{ Path: ['act', 'sub'], Value: 'bot' }] }] }),
    ),
    exchange('reads as it was written', 'GET /v1/config/service-intentions/api', {
      status: 200,
      body: {
        Kind: 'service-intentions',
        Name: 'api',
        Sources: [
          {
            Name: 'web',
            Permissions: [
              {
                Action: 'allow',
                HTTP: { PathPrefix: '/' },
                JWT: {
                  Providers: [{ Name: 'users', VerifyClaims: [{ Path: ['act', 'sub'], Value: 'bot' }] }],
                },
              },
            ],
            Precedence: 9,
            Type: 'consul',
          },
        ],
        CreateIndex: '<index 3>',
        ModifyIndex: '<index 3>',
      },
      index: '<index 3>',
    }),
    exchange(
      'the deletion of a provider that an intention names',
      'DELETE /v1/config/jwt-provider/users',
      refused('cannot delete jwt provider config entry referenced by an intention. Provider name:users'),
    ),
    exchange(
      'a requirement of an unnamed provider',
      PUT,
      refused('1 error occurred:\n\t* JWT provider name is required\n\n'),
      intention({ Providers: [{ VerifyClaims: [] }] }),
    ),
    exchange(
      'an unknown field of a requirement',
      PUT,
      {
        status: 400,
        body: 'Request decoding failed: 1 error occurred:\n\t* invalid config key "Sources[0].Permissions[0].JWT.Optional"\n\n',
      },
      intention({ Providers: [{ Name: 'users' }], Optional: true }),
    ),
    exchange('a requirement of the whole entry', PUT, OK, {
      body: {
        Kind: 'service-intentions',
        Name: 'api',
        JWT: { Providers: [{ Name: 'users' }] },
        Sources: [{ Name: 'web', Action: 'allow' }],
      },
    }),
    exchange(
      'the deletion of a provider that a whole entry names',
      'DELETE /v1/config/jwt-provider/users',
      refused('cannot delete jwt provider config entry referenced by an intention. Provider name:users'),
    ),
    exchange('the deletion of the intention', 'DELETE /v1/config/service-intentions/api', {
      status: 200,
      body: {},
    }),
    exchange('the deletion of a provider that nothing names', 'DELETE /v1/config/jwt-provider/users', {
      status: 200,
      body: {},
    }),
  ],
};
