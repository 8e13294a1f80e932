// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references of the configuration file
import { describe, expect, it } from 'vitest';
import { faultsOf, fileWith } from '../load-text.js';

const GUID = '8b5f2a10-7c0d-4f6e-9a1b-2c3d4e5f6a7b';
const provider = (rest: string) => `providers: [{ name: main, ${rest} }]`;
const keycloak = (rest: string) =>
  provider(`kind: keycloak, issuer: "https://sso.example.com", clientId: a, clientSecret: b, ${rest}`);
const oidc = (rest: string) => provider(`kind: oidc, issuer: "https://id.example.com", ${rest}`);

const NOT_A_SECRET =
  'is not whsec_ and the base64 of 24 to 64 bytes; create one with: printf \'whsec_%s\\n\' "$(openssl rand -base64 32)"';

const SECRET = `whsec_${'c2VjcmV0'.repeat(5)}`;

const NO_AUDIENCE =
  'providers[0]: has no audience, so any of its tokens could log in to Consul; add "audience" with the audience of tokens for Consul';

/** [what is wrong, the lines written, the keys they replace, the faults]. */
const CASES: readonly [string, string, readonly string[], readonly string[]][] = [
  [
    'two credentials of Entra',
    provider(
      `kind: entra, issuer: "https://login.microsoftonline.com/${GUID}/v2.0", clientId: ${GUID}, apis: [a], clientSecret: s, federatedTokenFile: f`,
    ),
    ['providers'],
    [
      '1:137: providers[0].clientId: needs exactly one credential; write clientSecret, certificate or federatedTokenFile',
    ],
  ],
  [
    'an Entra tenant of another cloud, by its domain',
    provider(
      `kind: entra, issuer: "https://login.microsoftonline.us/example.com/v2.0", clientId: ${GUID}, apis: [a], clientSecret: s`,
    ),
    ['providers'],
    [
      "1:48: providers[0].issuer: is not the issuer of a single tenant; write https://login.microsoftonline.com/<tenant id>/v2.0 with the tenant's id",
      '1:48: providers[0].issuer: is not at the login host of this cloud; write https://login.microsoftonline.com/…, or another cloud',
    ],
  ],
  [
    'a misspelt kind',
    provider('kind: keyclok'),
    ['providers'],
    ['1:33: providers[0].kind: must be one of auth0, entra, keycloak, oidc, okta; did you mean "keycloak"?'],
  ],
  [
    'a provider without a kind',
    provider('issuer: "https://x"'),
    ['providers'],
    ['1:13: providers[0].kind: is missing; add the key with one of auth0, entra, keycloak, oidc, okta'],
  ],
  [
    'Keycloak without its client',
    provider('kind: keycloak, issuer: "https://x"'),
    ['providers'],
    [
      '1:13: providers[0].clientId: is missing; add the key',
      '1:13: providers[0].clientSecret: is missing; add the key',
    ],
  ],
  [
    'a directory for Keycloak',
    keycloak('directory: x'),
    ['providers'],
    [
      '1:108: providers[0].directory: unknown key; known here: insecure, webhook, poll, fullRead, audience, userAudience, caFile, keysCaFile, forwardUserAs, claims, ssf, serviceAccountRoles, apis',
    ],
  ],
  [
    'an oidc provider without its directory',
    oidc(''),
    ['providers'],
    ['1:13: providers[0].directory: is missing; add the key'],
  ],
  [
    'plain http to an issuer elsewhere',
    provider('kind: oidc, issuer: "http://id.example.com", directory: x'),
    ['providers'],
    [
      '1:47: providers[0].issuer: plain http to a host that is not loopback; use https, or set "insecure: true" on this provider',
    ],
  ],
  [
    'plain http to a host that only begins like loopback',
    provider('kind: oidc, issuer: "http://127.0.0.1.example.com", directory: x'),
    ['providers'],
    [
      '1:47: providers[0].issuer: plain http to a host that is not loopback; use https, or set "insecure: true" on this provider',
    ],
  ],
  [
    'plain http to a name that a resolver may have at another machine',
    provider('kind: oidc, issuer: "http://idp.localhost", directory: x'),
    ['providers'],
    [
      '1:47: providers[0].issuer: plain http to a host that is not loopback; use https, or set "insecure: true" on this provider',
    ],
  ],
  [
    'plain http to a directory elsewhere',
    oidc('directory: "http://10.0.0.1/c.json"'),
    ['providers'],
    [
      '1:84: providers[0].directory: plain http to a host that is not loopback; use https, or set "insecure: true" on this provider',
    ],
  ],
  [
    'no webhook secret',
    keycloak('webhook: { secrets: [] }'),
    ['providers'],
    [
      '1:128: providers[0].webhook.secrets: must hold at least one secret; several are accepted during a rotation',
    ],
  ],
  [
    'an empty webhook secret',
    keycloak('webhook: { secrets: [""] }'),
    ['providers'],
    [
      '1:129: providers[0].webhook.secrets[0]: must not be empty; give the secret through ${NAME} or ${file:PATH}',
    ],
  ],
  [
    'a secret that is not of Standard Webhooks',
    oidc('directory: x, webhook: { secrets: ["abc"] }'),
    ['providers'],
    [`1:108: providers[0].webhook.secrets[0]: ${NOT_A_SECRET}`],
  ],
  [
    'a secret of Standard Webhooks that is too short',
    oidc('directory: x, webhook: { secrets: [whsec_c2hvcnQ=] }'),
    ['providers'],
    [`1:108: providers[0].webhook.secrets[0]: ${NOT_A_SECRET}`],
  ],
  [
    'two providers of one name',
    'providers: [&p { name: a, kind: oidc, issuer: "https://x", directory: y }, *p]',
    ['providers'],
    ['1:76: providers[1].name: another provider has this name; give each its own'],
  ],
  [
    'a secret by which two would send events of each other',
    `scopes: { a: { to: a, provider: a } }
decisions: { kind: embedded, webhooks: [{ name: w, url: "https://w", secrets: [${SECRET}] }] }
providers: [{ name: a, kind: oidc, issuer: "https://a", directory: a.json, webhook: { secrets: [${SECRET}, ${SECRET}] } },
  { name: b, kind: oidc, issuer: "https://b", directory: b.json, webhook: { secrets: [${SECRET}] } }]`,
    ['providers', 'scopes'],
    [
      '2:80: decisions.webhooks[0].secrets[0]: is in providers[0].webhook.secrets as well; create one for each',
      '4:87: providers[1].webhook.secrets[0]: is in providers[0].webhook.secrets as well; create one for each',
    ],
  ],
  [
    'a provider without audience beside logins',
    'login: on\nproviders: [{ name: a, kind: oidc, issuer: "https://a", directory: a.json }]',
    ['providers'],
    [`2:13: ${NO_AUDIENCE}`],
  ],
  [
    'a provider without audience beside groups',
    `groups: { oncall: { acl: 'operator = "read"' } }
providers: [{ name: a, kind: oidc, issuer: "https://a", directory: a.json }]`,
    ['providers'],
    [`2:13: ${NO_AUDIENCE}`],
  ],
  [
    'a provider without audience beside ACL rules of its own',
    `scopes: { a: { provider: a, acl: 'operator = "read"' } }
providers: [{ name: a, kind: oidc, issuer: "https://a", directory: a.json },
  { name: b, kind: oidc, issuer: "https://b", directory: b.json }]`,
    ['providers', 'scopes'],
    [`2:13: ${NO_AUDIENCE}`],
  ],
  [
    'headers for users that are not ones own, or of two providers',
    `scopes: { a: { to: a, provider: a } }
providers: [{ name: a, kind: oidc, issuer: "https://a", directory: a.json, forwardUserAs: x-user },
  { name: b, kind: oidc, issuer: "https://b", directory: b.json, forwardUserAs: x-user },
  { name: c, kind: oidc, issuer: "https://c", directory: c.json, forwardUserAs: authorization }]`,
    ['providers', 'scopes'],
    [
      '3:81: providers[1].forwardUserAs: another provider forwards users in this header; give each its own',
      '4:81: providers[2].forwardUserAs: must be a header of your own in lower case; write for example x-user-claims',
    ],
  ],
  [
    "a provider without audience beside a rule that requires its users' tokens, and none beside it",
    `scopes: { a: [{ to: a, user: required, provider: a }, { to: c, provider: b }] }
providers: [{ name: a, kind: oidc, issuer: "https://a", directory: a.json },
  { name: b, kind: oidc, issuer: "https://b", directory: b.json }]`,
    ['providers', 'scopes'],
    [
      '2:13: providers[0]: has no audience, so any of its tokens would count as a user token where a rule has "user: required"; add "userAudience" with the audience of user tokens',
    ],
  ],
];

describe('A fault of a provider is reported with its line, its column and what to write instead:', () => {
  it.each(CASES)('%s', async (_, written, keys, faults) => {
    expect(await faultsOf(fileWith(written, ...keys))).toEqual(faults);
  });
});
