import { expect, it } from 'vitest';
import { toMapping } from '../../config/mapping-revision.js';
import { desiredPeople } from '../../src/acl/plan/desired-people.js';
import { claimText, clientClaims, groupClaim, groupHint, personClaims } from '../../src/app/token-claims.js';
import { TOKEN_SHAPES } from '../../src/model/login.js';
import { client, desire, loginProvider, mapping } from '../acl/plan/acl-scene.js';
import { admits } from '../acl/plan/selector-model.js';
import { loadText } from '../config/load-text.js';

const config = async (kind: string, group: string) => {
  const loaded = await loadText(`
owner: payments
mode: enforce
consul: { address: "http://127.0.0.1:8500" }
providers: [${PROVIDERS[kind]}]
scopes: { "a:read": { to: a } }
groups: { "${group}": { acl: 'service_prefix "" { policy = "read" }' } }
`);
  return toMapping(loaded);
};
const PROVIDERS: Readonly<Record<string, string>> = {
  keycloak:
    '{ name: main, kind: keycloak, issuer: "https://sso.example.com/realms/main", clientId: a, clientSecret: secret-0123456789abcdef, audience: consul }',
  oidc: '{ name: main, kind: oidc, issuer: "https://sso.example.com", directory: ./clients.json, audience: consul }',
};

it.each([
  ['oidc', 'oncall', 'groups must contain "oncall"'],
  ['keycloak', '/ops/oncall', 'groups must contain "/ops/oncall"'],
  ['keycloak', 'organization/acme', 'organization must contain "acme"'],
])('names the claim and the value that the binding rule compares: %s, %s', async (kind, group, text) => {
  const mapping = await config(kind, group);
  const provider = mapping.acl.providers.get('main');
  const [rule] = mapping.acl.groups;
  if (provider === undefined || rule === undefined) throw new Error('nothing is mapped');
  const claim = groupClaim(rule, provider);
  expect(claimText(claim)).toBe(text);
  const { desired } = desiredPeople({
    provider: 'main',
    mapping,
    settings: mapping.acl,
    members: new Map([[group, ['ann']]]),
  });
  const { listClaimMappings, boundIssuer, boundAudiences } = desired?.authMethods[0]?.config ?? {};
  const name = listClaimMappings?.[claim.claim];
  expect(desired?.bindingRules[0]?.selector).toContain(`"${claim.value}" in list.${name}`);
  expect(personClaims(provider, 'ann').slice(0, 3)).toEqual([
    { claim: 'iss', must: 'equal', value: boundIssuer },
    { claim: 'aud', must: 'contain', value: boundAudiences?.[0] },
    { claim: 'sub', must: 'equal', value: 'ann' },
  ]);
});

it('says what Keycloak writes for a top-level group, and nothing if there is no choice', () => {
  const rule = { group: 'platform-oncall', acl: '' };
  expect(groupHint('keycloak', rule)).toContain('writes "/platform-oncall" while "Full group path" is on');
  expect(groupHint('oidc', rule)).toBeUndefined();
  expect(groupHint('keycloak', { ...rule, group: '/ops/oncall' })).toBeUndefined();
});

const providerOf = (kind: keyof typeof TOKEN_SHAPES) => {
  const { client: claim, subject, ownToken, ...shape } = TOKEN_SHAPES[kind];
  const claims = { client: claim, subject, groups: ['groups'] };
  return loginProvider({ claims, ownToken, person: 'person' in shape ? shape.person : undefined });
};

it.each([
  ['oidc', ['client_id must equal "web"', 'sub must equal "web"']],
  ['keycloak', ['azp must equal "web"', 'client_id must equal "web"']],
  ['okta', ['cid must equal "web"', 'sub must equal "web"']],
  ['auth0', ['azp must equal "web"', 'sub must equal "web@clients"']],
  ['entra', ['azp must equal "web"', 'idtyp must equal "app"']],
] as const)('names what the token of a client of kind %s must have', (kind, expected) => {
  const [iss, aud, ...others] = clientClaims(providerOf(kind), 'web', 'workload', 'own').map(claimText);
  expect([iss, aud]).toEqual([`iss must equal "${loginProvider().issuer}"`, 'aud must contain "consul"']);
  expect(others).toEqual(expected);
});

const KINDS = ['keycloak', 'oidc', 'okta', 'auth0', 'entra'] as const;
it.each(
  KINDS.flatMap((kind) => (['own', 'any', 'delegated'] as const).map((proof) => [kind, proof] as const)),
)('names the conditions that the binding rule compares, and no others: %s, %s', (kind, proof) => {
  const provider = providerOf(kind);
  const grantTypes = [proof === 'any' ? 'authorization_code' : 'client_credentials'];
  const agent = { limits: { ...mapping().limits, agent: { never: [], onBehalfOf: 'human' as const } } };
  const isAgent = proof === 'delegated';
  const { desired, actorKind } = desire(
    { ...client('web', ['config:read']), grantTypes },
    {
      settings: { providers: new Map([['main', provider]]) },
      mapping: isAgent ? { ...agent, classify: [{ clientId: '*', kind: 'agent' }] } : {},
    },
  );
  const { claimMappings = {} } = desired.authMethods[0]?.config ?? {};
  const selector = desired.bindingRules[0]?.selector ?? '';
  const nameOf = (claim: string) =>
    claimMappings[claim.includes('.') ? `/${claim.replaceAll('.', '/')}` : claim] ?? '';
  const conditions = clientClaims(provider, 'web', actorKind, proof).slice(2);
  expect(new Set(conditions.map(({ claim }) => nameOf(claim)))).toEqual(
    new Set(Object.values(claimMappings)),
  );
  const token = Object.fromEntries(
    conditions.map(({ claim, must, value }) => [
      nameOf(claim),
      must === 'be present and not equal' ? 'ann' : (value ?? ''),
    ]),
  );
  expect(admits(selector, { value: token, list: {} })).toBe(true);
  for (const { claim, must, value } of conditions) {
    const name = nameOf(claim);
    const wrong = must === 'be present and not equal' ? (value ?? '') : 'other';
    expect(admits(selector, { value: { ...token, [name]: wrong }, list: {} }), claim).toBe(false);
    const { [name]: _, ...less } = token;
    expect(admits(selector, { value: less, list: {} }), claim).toBe(must === 'be absent or contain');
  }
});
