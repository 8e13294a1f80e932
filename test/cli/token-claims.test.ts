import { expect, it } from 'vitest';
import { toMapping } from '../../config/mapping-revision.js';
import { claimText, groupClaim, groupHint, personClaims } from '../../src/cli/token-claims.js';
import { desiredPeople } from '../../src/plan/acl/desired-people.js';
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
