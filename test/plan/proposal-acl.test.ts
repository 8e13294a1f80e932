import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Authorizer } from '../../src/embedded/consul/acl/authorizer.js';
import { namedResources, parseAclRules, scalarResources } from '../../src/embedded/consul/acl/rules.js';
import type { AclSnapshot, AclToken } from '../../src/model/acl.js';
import type { OAuthClient } from '../../src/model/client.js';
import type { Mapping } from '../../src/model/rule.js';
import { rulesOf } from '../../src/plan/acl/granted-rules.js';
import { parseRules } from '../../src/plan/acl/rules-text.js';
import { classify } from '../../src/plan/actor.js';
import { createPatternCompiler } from '../../src/plan/pattern.js';
import type { AclFacts } from '../../src/plan/proposal/acl-holders.js';
import type { ProposedClaim } from '../../src/plan/proposal/proposal.js';
import { type AclProposal, proposeAcl } from '../../src/plan/proposal/propose-acl.js';
import { ISSUER, loginProvider, READ_CONFIG, settings } from './acl/acl-scene.js';
import { client, mapping, NOW, named, scene, worldOf } from './scene.js';

const acl = settings({
  login: false,
  providers: new Map([['main', loginProvider({ scopes: { claim: ['scopes'], isList: true } })]]),
});
const CONFIG = '{"key_prefix":{"config/":{"policy":"read"}}}';

function token(accessorId: string, changes: Partial<AclToken> = {}): AclToken {
  return {
    accessorId,
    description: '',
    policies: [],
    isManagement: false,
    roles: [],
    serviceIdentities: [],
    nodeIdentities: [],
    templatedPolicies: [],
    isLocal: false,
    createdAt: '2026-01-01T00:00:00Z',
    ...changes,
  };
}

const stored = <T>(object: T) => ({ id: 'id', object, isAltered: false, modifyIndex: 1 });
const policyOf = (name: string, rules: string) => stored({ name, description: '', rules });
const roleOf = (name: string, policies: readonly string[]) =>
  stored({ name, description: '', policies, serviceIdentities: [] });
const OBJECTS: AclSnapshot = {
  policies: [
    policyOf('config-read', READ_CONFIG),
    policyOf('vault', 'service "vault" { policy = "write" }'),
    policyOf('odd', 'namespace "team" { policy = "write" }'),
  ],
  roles: [roleOf('web', ['config-read']), roleOf('reader', ['config-read'])],
  authMethods: [],
  bindingRules: [],
};

interface Given {
  readonly clients: readonly OAuthClient[];
  readonly tokens?: readonly AclToken[];
  readonly objects?: Partial<AclSnapshot>;
  readonly mapping?: Partial<Mapping>;
  readonly claims?: readonly ProposedClaim[];
}

function proposed(given: Given): AclProposal {
  const facts: AclFacts = { tokens: given.tokens ?? [], objects: { ...OBJECTS, ...given.objects } };
  const from = scene({ clients: given.clients, mapping: mapping({ acl, ...given.mapping }) });
  return proposeAcl(facts, given.claims ?? [], {
    mapping: from.mapping,
    world: worldOf(from),
    canWrite: () => true,
    now: NOW,
  });
}

const claimOf = (service: string): ProposedClaim => ({
  service: named(service),
  client: { provider: 'main', clientId: 'web' },
  evidence: 'claim',
  needsMeta: false,
  needsAttribute: false,
  named: [service],
  isRegistered: true,
});
const texts = ({ rules }: AclProposal) => rules.map(({ rule, evidence }) => [rule.scope, rule.acl, evidence]);
const ofWeb = token('t', { description: 'token of web', policies: ['config-read'] });
const login = (bindingRule: string, claims: Readonly<Record<string, Readonly<Record<string, string>>>>) => ({
  authMethods: [
    stored({
      name: 'sso',
      description: '',
      maxTokenTtlSeconds: 0,
      config: {
        boundIssuer: ISSUER,
        boundAudiences: [],
        signingAlgorithms: [],
        claimMappings: {},
        listClaimMappings: {},
        ...claims,
      },
    }),
  ],
  bindingRules: [
    stored({
      description: '',
      authMethod: 'sso',
      bindType: 'role' as const,
      bindName: 'reader',
      selector: bindingRule,
    }),
  ],
});

describe('a proposal of acl: rules', () => {
  it.each<readonly [string, Partial<AclToken>]>([
    ['names it in its Description', { description: 'token of web', policies: ['config-read'] }],
    ['has a role of its name', { roles: ['web'] }],
  ])('finds the scope that gives a client what its token gives, if the token %s', (_, changes) => {
    const found = proposed({ clients: [client('web', ['config:read'])], tokens: [token('t', changes)] });
    expect(texts(found)).toEqual([['config:read', CONFIG, 'policy']]);
    expect([...found.explained]).toEqual([
      ['t', { client: { provider: 'main', clientId: 'web' }, scopes: ['config:read'], services: [] }],
    ]);
  });

  it('takes the client that claims the services of a token', () => {
    const tokens = [token('t', { serviceIdentities: ['shop'], policies: ['config-read'] })];
    const found = proposed({ clients: [client('web', ['config:read'])], tokens, claims: [claimOf('shop')] });
    expect(found.explained.get('t')).toMatchObject({ services: ['shop'], scopes: ['config:read'] });
  });

  it('takes the scope whose clients are exactly those with the rights', () => {
    const tokens = ['web', 'job'].map((id) => token(id, { description: id, policies: ['config-read'] }));
    const clients = [client('web', ['insights', 'x']), client('job', ['insights']), client('bot', ['x'])];
    expect(texts(proposed({ clients, tokens }))).toEqual([['insights', CONFIG, 'holders']]);
  });

  it.each([
    [
      'a scope',
      '"config" in list.scopes',
      { listClaimMappings: { scopes: 'scopes' } },
      [['config', CONFIG, 'login']],
    ],
    ['a client ID', 'value.id == "web"', { claimMappings: { azp: 'id' } }, [['config', CONFIG, 'policy']]],
    ['another claim', 'value.id == "web"', { claimMappings: { sub: 'id' } }, []],
    ['more than one thing', 'value.id == "web" or value.id == "x"', { claimMappings: { azp: 'id' } }, []],
    [
      'a client ID of another issuer',
      'value.id == "web"',
      { claimMappings: { azp: 'id' }, boundIssuer: 'x' },
      [],
    ],
    [
      'a scope in tokens of the audience of the provider',
      '"config" in list.scopes',
      { listClaimMappings: { scopes: 'scopes' }, boundAudiences: ['consul', 'ops'] },
      [['config', CONFIG, 'login']],
    ],
    [
      'a scope in tokens of another audience',
      '"config" in list.scopes',
      { listClaimMappings: { scopes: 'scopes' }, boundAudiences: ['ops'] },
      [],
    ],
    [
      'a client ID in tokens of another audience',
      'value.id == "web"',
      { claimMappings: { azp: 'id' }, boundAudiences: ['ops'] },
      [],
    ],
  ])('reads a login of others that compares %s', (_, selector, config, expected) => {
    const objects = login(selector, config as Parameters<typeof login>[1]);
    expect(texts(proposed({ clients: [client('web', ['config'])], objects }))).toEqual(expected);
  });

  it.each(['authMethods', 'bindingRules'] as const)(
    'reads no login of others with more fields in its %s than scopemesh knows',
    (kind) => {
      const objects = login('"config" in list.scopes', { listClaimMappings: { scopes: 'scopes' } });
      const altered = { ...objects, [kind]: objects[kind].map((each) => ({ ...each, isAltered: true })) };
      expect(texts(proposed({ clients: [client('web', ['config'])], objects: altered }))).toEqual([]);
    },
  );

  it.each<readonly [string, Given]>([
    [
      'another client with the scope lacks the rights',
      { clients: [client('web', ['config:read']), client('job', ['config:read'])], tokens: [ofWeb] },
    ],
    [
      'a disabled client with the scope lacks the rights',
      {
        clients: [client('web', ['config:read']), client('job', ['config:read'], { enabled: false })],
        tokens: [ofWeb],
      },
    ],
    [
      'people sign in at the client',
      {
        clients: [client('web', ['config:read'], { grantTypes: ['authorization_code'] })],
        tokens: [ofWeb],
      },
    ],
    ['the scope says that it writes', { clients: [client('web', ['config:write'])], tokens: [ofWeb] }],
    [
      'Consul could not verify the tokens of the provider',
      {
        clients: [client('web', ['config:read'])],
        tokens: [ofWeb, token('u', { serviceIdentities: ['web'] })],
        claims: [claimOf('web')],
        mapping: {
          acl: settings({ providers: new Map([['main', loginProvider({ audience: undefined })]]) }),
        },
      },
    ],
    [
      'the rules are for a protected service',
      {
        clients: [client('web', ['vault:write'])],
        tokens: [token('t', { description: 'web', policies: ['vault'] })],
        mapping: { protectedServices: ['vault'] },
      },
    ],
    [
      'the token has more than scopemesh can read',
      {
        clients: [client('web', ['config:read'])],
        tokens: [token('t', { description: 'web', policies: ['config-read', 'odd'] })],
      },
    ],
    [
      'the token has ended',
      {
        clients: [client('web', ['config:read'])],
        tokens: [
          token('t', { description: 'web', policies: ['config-read'], expiresAt: '2020-01-01T00:00:00Z' }),
        ],
      },
    ],
    [
      'the token came from a login',
      {
        clients: [client('web', ['config:read'])],
        tokens: [token('t', { description: 'web', policies: ['config-read'], authMethod: 'sso' })],
      },
    ],
    [
      'the texts of the token name two clients',
      {
        clients: [client('web', ['config:read']), client('job', [])],
        tokens: [token('t', { description: 'web, job', policies: ['config-read'] })],
      },
    ],
    [
      'the token is for management',
      { clients: [client('web', ['config:read'])], tokens: [{ ...ofWeb, isManagement: true }] },
    ],
  ])('has no rule if %s', (_, given) => {
    const found = proposed(given);
    expect([found.rules, [...found.explained]]).toEqual([[], []]);
  });

  it('keeps the rules of the file, and explains tokens by them', () => {
    const rules = [{ scope: 'config:*', acl: READ_CONFIG, userRequired: false }];
    const found = proposed({
      clients: [client('web', ['config:read'])],
      tokens: [ofWeb],
      mapping: { rules },
    });
    expect([found.rules, [...found.explained.keys()]]).toEqual([[], ['t']]);
  });

  it('says what it knows about a token that no scope explains', () => {
    const clients = [client('web', []), client('job', [])];
    const tokens = [ofWeb, token('u', { description: 'web job', policies: ['config-read'] }), token('v')];
    expect([...proposed({ clients, tokens }).unexplained]).toEqual([
      ['t', 'it may be a token of the client main/web, whose scopes do not give all of it'],
      ['u', 'its texts and identities name several clients: main/job, main/web'],
    ]);
  });
});

const NAMES = ['', 'a', 'ab'] as const;
const LEVELS = ['deny', 'read', 'write'] as const;
const ruleText = fc
  .tuple(
    fc.constantFrom('key', 'service', 'node'),
    fc.boolean(),
    fc.constantFrom(...NAMES),
    fc.constantFrom(...LEVELS),
  )
  .map(
    ([word, isPrefix, on, policy]) => `${word}${isPrefix ? '_prefix' : ''} "${on}" { policy = "${policy}" }`,
  );
const POLICIES = ['a-read', 'ab-write', 'all'] as const;
const SCOPES = ['a:read', 'a', 'ab:write', 'all', 'other'] as const;
const CLIENTS = ['web', 'job', 'bot'] as const;

const someAcl = fc.record({
  policies: fc.tuple(...POLICIES.map(() => fc.uniqueArray(ruleText, { minLength: 1, maxLength: 2 }))),
  clients: fc.tuple(
    ...CLIENTS.map((id) =>
      fc
        .tuple(fc.subarray([...SCOPES]), fc.constantFrom(true, true, false))
        .map(([scopes, enabled]) => client(id, scopes, { enabled })),
    ),
  ),
  tokens: fc.uniqueArray(
    fc.record({
      description: fc.constantFrom('web', 'job', 'bot', 'web job', 'x'),
      policies: fc.subarray([...POLICIES], { minLength: 1 }),
    }),
    { maxLength: 6, selector: (each) => JSON.stringify(each) },
  ),
});

describe('a proposal of acl: rules for any Consul', () => {
  it('gives no client a right that none of its tokens has, as Consul decides', () => {
    const decider = (rules: readonly string[]) =>
      new Authorizer('a', rules.map(parseAclRules), { named: false, acl: false });
    const compile = createPatternCompiler();
    let given = 0;
    fc.assert(
      fc.property(someAcl, ({ policies, clients, tokens }) => {
        const rulesOfPolicy = new Map(POLICIES.map((name, at) => [name, (policies[at] ?? []).join('\n')]));
        const objects = { policies: [...rulesOfPolicy].map(([name, text]) => policyOf(name, text)) };
        const all = tokens.map((each, at) => token(`t${at}`, each));
        const { rules } = proposed({ clients, tokens: all, objects });
        const after = mapping({ acl, rules: rules.map(({ rule }) => rule) });
        for (const each of clients) {
          const enabled = { ...each, enabled: true };
          const got = rulesOf(enabled, classify(each, after), after, compile, parseRules).policies;
          if (got.length === 0) continue;
          given++;
          const next = decider(got.map(({ rules: text }) => text));
          const had = tokens
            .filter(({ description }) => description === each.clientId)
            .map((one) => decider(one.policies.map((name) => rulesOfPolicy.get(name) ?? '')));
          for (const resource of [...scalarResources, ...namedResources, 'intention'] as const)
            for (const access of ['read', 'list', 'write'] as const)
              for (const on of ['', 'a', 'ab', 'abc', 'b', '*'])
                if (next.isAllowed(resource, access, on))
                  expect([
                    resource,
                    access,
                    on,
                    had.some((one) => one.isAllowed(resource, access, on)),
                  ]).toEqual([resource, access, on, true]);
        }
      }),
      { numRuns: 60 },
    );
    expect(given).toBeGreaterThan(0);
  });
});
