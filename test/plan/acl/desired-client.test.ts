import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { desiredClient } from '../../../src/plan/acl/desired-client.js';
import { NOTHING_DESIRED } from '../../../src/plan/acl/login.js';
import type { ClaimStanding } from '../../../src/plan/claims.js';
import {
  aclRule,
  claimed,
  client,
  desire,
  hostileText,
  loginProvider,
  mapping,
  named,
  nameOfClient,
  READ_CONFIG,
  settings,
  WRITE_ORDERS,
} from './acl-scene.js';
import { admits } from './selector-model.js';

const web = client('web', ['config:read']);
const OWN =
  '"client_id" in value and value.client_id == "web" and "own_token" in value and value.own_token == "web"';
const ANY = '"client_id" in value and value.client_id == "web"';

describe('a client with an acl: rule', () => {
  const { desired, holds } = desire(web);

  test('has a policy, a role, an auth method and a binding rule for exactly itself', () => {
    expect(holds).toEqual([]);
    expect(desired.policies).toEqual([
      {
        name: expect.stringMatching(/^scopemesh-pay-_rules-[0-9a-f]{40}$/),
        description: 'scopemesh:pay',
        rules: '{"key_prefix":{"config/":{"policy":"read"}}}',
      },
    ]);
    expect(desired.roles).toEqual([
      {
        name: 'scopemesh-pay-main-web',
        description: 'scopemesh:pay client=main/web',
        policies: [desired.policies[0]?.name],
        serviceIdentities: [],
      },
    ]);
    expect(desired.authMethods).toEqual([
      {
        name: 'scopemesh-pay-main-web',
        description: 'scopemesh:pay client=main/web',
        maxTokenTtlSeconds: 86_400,
        config: {
          jwksUrl: expect.stringMatching(/certs$/),
          boundIssuer: 'https://sso.example.com/realms/main',
          boundAudiences: ['consul'],
          signingAlgorithms: ['RS256'],
          claimMappings: { azp: 'client_id', client_id: 'own_token' },
          listClaimMappings: {},
        },
      },
    ]);
    expect(desired.bindingRules).toEqual([
      {
        description: 'scopemesh:pay client=main/web',
        authMethod: 'scopemesh-pay-main-web',
        bindType: 'role',
        bindName: 'scopemesh-pay-main-web',
        selector: OWN,
      },
    ]);
  });

  test('shares the policy of equal rules with other clients, however they are written', () => {
    const other = desire(client('api', ['config:read']), {
      mapping: { rules: [aclRule('config:*', '{"key_prefix":{"config/":{"policy":"read"}}}')] },
    });
    expect(other.desired.policies).toEqual(desired.policies);
  });

  test('has another policy where the text of its rules is another', () => {
    const other = desire(web, {
      mapping: { rules: [aclRule('config:read', 'key_prefix "config/" { policy = "write" }')] },
    });
    expect(other.desired.policies[0]?.name).not.toBe(desired.policies[0]?.name);
  });

  test('has the rules of all its scopes together', () => {
    const both = desire(client('web', ['config:read', 'orders:write']), {
      mapping: { rules: [aclRule('config:read', READ_CONFIG), aclRule('orders:*', WRITE_ORDERS)] },
    });
    expect(both.scopes).toEqual(['config:read', 'orders:write']);
    expect(both.desired.roles[0]?.policies).toHaveLength(2);
    expect(both.desired.roles[0]?.policies).toEqual(both.desired.policies.map(({ name }) => name));
  });
});

describe('a client cannot log in', () => {
  test.each([
    ['with neither a rule nor a claim', desire(client('web', ['other']))],
    [
      'with a claim where login is off',
      desire(client('web', []), { services: ['web'], settings: { login: false } }),
    ],
    ['that is disabled', desire({ ...web, enabled: false }, { services: ['web'] })],
    ['that an order closed', desire(web, { services: ['web'], isClosed: true })],
  ])('%s, and nothing is held', (_, { desired, holds }) => {
    expect(desired).toEqual(NOTHING_DESIRED);
    expect(holds).toEqual([]);
  });

  test.each([
    ['whose provider has no audience', { audience: undefined }, {}, 'LoginUnverifiable'],
    ['whose provider has an empty audience', { audience: '' }, {}, 'LoginUnverifiable'],
    ['whose provider has no issuer', { issuer: '' }, {}, 'LoginUnverifiable'],
    ['whose provider has no algorithm', { signingAlgorithms: [] }, {}, 'LoginUnverifiable'],
    [
      'whose own tokens cannot be told from those of people',
      { ownToken: undefined },
      {},
      'LoginUnverifiable',
    ],
    ['whose tokens live less than a minute', {}, { accessTokenLifetimeSeconds: 59 }, 'LifetimeTooShort'],
    ['whose tokens live for a negative time', {}, { accessTokenLifetimeSeconds: -1 }, 'LifetimeTooShort'],
    ['whose tokens live for no number', {}, { accessTokenLifetimeSeconds: Number.NaN }, 'LifetimeTooShort'],
    ['whose id is half a pair', {}, { clientId: 'a\ud800' }, 'InvalidClientId'],
    ['whose id is empty', {}, { clientId: '' }, 'InvalidClientId'],
  ])('%s, and that is held', (_, provider, of, reason) => {
    const { desired, holds } = desire(
      { ...web, ...of },
      { settings: { providers: new Map([['main', loginProvider(provider)]]) } },
    );
    expect(desired).toEqual(NOTHING_DESIRED);
    expect(holds.map((hold) => hold.reason)).toEqual([reason]);
  });

  test('whose provider is not configured, and that is held', () => {
    const { desired, holds } = desire(web, { settings: { providers: new Map() } });
    expect(desired).toEqual(NOTHING_DESIRED);
    expect(holds.map((hold) => hold.reason)).toEqual(['LoginUnverifiable']);
  });
});

describe('a token of a client lives in Consul', () => {
  test.each([
    ['as long as at the identity provider', 300, {}, 300],
    ['a minute where that is all there is', 60, {}, 60],
    ['no longer than its kind may', 7200, { maxTokenTtlSeconds: 3600 }, 3600],
    ['no longer than at the identity provider', 300, { maxTokenTtlSeconds: 3600 }, 300],
    ['no longer than a day', 1_000_000, {}, 86_400],
    ['whole seconds', 90.7, {}, 90],
    ['as long as its kind may where nothing else is known', undefined, { maxTokenTtlSeconds: 900 }, 900],
  ])('%s', (_, lifetime, limit, expected) => {
    const { desired } = desire(
      { ...web, ...(lifetime === undefined ? {} : { accessTokenLifetimeSeconds: lifetime }) },
      { mapping: { limits: { ...mapping().limits, workload: { never: [], ...limit } } } },
    );
    expect(desired.authMethods[0]?.maxTokenTtlSeconds).toBe(expected);
  });

  test('as the strictest kind has it where the kind is unknown', () => {
    const { desired } = desire(
      { ...web, grantTypes: [] },
      {
        mapping: {
          limits: {
            human: { never: [], maxTokenTtlSeconds: 800 },
            workload: { never: [], maxTokenTtlSeconds: 700 },
            agent: { never: [], maxTokenTtlSeconds: 120 },
          },
        },
      },
    );
    expect(desired.authMethods[0]?.maxTokenTtlSeconds).toBe(120);
  });
});

describe('a claimed service gives its identity', () => {
  const of = client('web', []);

  test('where login is on', () => {
    const { desired } = desire(of, { services: ['web', 'api'] });
    expect(desired.roles[0]).toMatchObject({ policies: [], serviceIdentities: ['api', 'web'] });
    expect(desired.bindingRules).toHaveLength(1);
  });

  test.each([
    ['vault', 'ProtectedDestination'],
    ['Web', 'InvalidServiceName'],
    ['web.1', 'InvalidServiceName'],
  ])('not to %j, and that is held', (service, reason) => {
    const { desired, holds } = desire(of, {
      services: [service],
      mapping: { protectedServices: ['vault'] },
    });
    expect(desired).toEqual(NOTHING_DESIRED);
    expect(holds.map((hold) => hold.reason)).toEqual([reason]);
  });

  const standingOf = (standings: readonly ClaimStanding[] | undefined, had: readonly string[]) =>
    desiredClient({
      client: of,
      mapping: mapping(),
      settings: settings(),
      standings,
      former:
        had.length === 0
          ? undefined
          : { name: 'x', description: '', policies: [], serviceIdentities: [...had] },
      isClosed: false,
    }).desired.roles[0]?.serviceIdentities;

  const service = named('web');
  test.each<readonly [string, readonly ClaimStanding[] | undefined, readonly string[] | undefined]>([
    ['whose instances disagree', [claimed(of, 'web', true)], ['web']],
    [
      'whose claim is not recorded',
      [{ kind: 'unrecorded', service, client: of, addNothing: false }],
      ['web'],
    ],
    ['whose directory was not read', [{ kind: 'unknown', service, client: of }], ['web']],
    ['while the catalog was not read', undefined, ['web']],
    ['that claims it no longer', [{ kind: 'none', service, vanished: false }], undefined],
    ['that claims another client', [claimed({ provider: 'main', clientId: 'api' }, 'web')], undefined],
    [
      'that the client does not name',
      [{ kind: 'refused', service, client: of, reason: 'ClaimUnconfirmed', detail: '' }],
      undefined,
    ],
  ])('%s: only what stood may stay', (_, standings, kept) => {
    expect(standingOf(standings, ['web'])).toEqual(kept);
    expect(standingOf(standings, [])).toBeUndefined();
  });
});

test('a service that is protected now loses its identity although the catalog was not read', () => {
  const { desired } = desiredClient({
    client: client('web', []),
    mapping: mapping({ protectedServices: ['vault'] }),
    settings: settings(),
    standings: undefined,
    former: { name: 'x', description: '', policies: [], serviceIdentities: ['vault', 'web'] },
    isClosed: false,
  });
  expect(desired.roles[0]?.serviceIdentities).toEqual(['web']);
});

describe('a token must show', () => {
  const people = { ...web, grantTypes: ['authorization_code'] };

  test('that the client got it for itself, where it acts as a service or is no client of people', () => {
    expect(desire(web).desired.bindingRules[0]?.selector).toBe(OWN);
    expect(desire(people, { services: ['web'] }).desired.bindingRules[0]?.selector).toBe(OWN);
  });

  test('only the client where people sign in there and it acts as no service', () => {
    expect(desire(people).desired.bindingRules[0]?.selector).toBe(ANY);
  });

  test('that the client acts for a person, where a human must stand behind it', () => {
    const { desired, holds } = desire(web, {
      services: ['web'],
      mapping: { limits: { ...mapping().limits, workload: { never: [], onBehalfOf: 'human' } } },
      settings: {
        providers: new Map([['main', loginProvider({ person: { claim: ['sub_profile'], equals: 'user' } })]]),
      },
    });
    expect(desired.roles[0]?.serviceIdentities).toEqual([]);
    expect(holds.map((hold) => hold.reason)).toEqual(['UserTokenUnenforceable']);
    expect(desired.authMethods[0]?.config.claimMappings).toEqual({
      '/act/sub': 'actor',
      azp: 'client_id',
      sub: 'subject',
      sub_profile: 'person',
    });
    const selector = desired.bindingRules[0]?.selector ?? '';
    const good = { client_id: 'web', actor: 'web', subject: 'alice', person: 'user' };
    expect(admits(selector, { value: good, list: {} })).toBe(true);
    for (const name of Object.keys(good)) {
      const { [name]: _, ...less } = good as Record<string, string>;
      expect(admits(selector, { value: less, list: {} })).toBe(false);
      expect(
        admits(selector, { value: { ...good, [name]: name === 'subject' ? 'web' : 'x' }, list: {} }),
      ).toBe(false);
    }
  });

  test('no actor or subject that the token itself calls something else, where it calls them anything', () => {
    const agent = { ...web, attributes: { actor: 'agent' } };
    const limits = { ...mapping().limits, agent: { never: [], onBehalfOf: 'human' as const } };
    const classify = [{ attribute: 'actor', equals: 'agent', kind: 'agent' as const }];
    const { desired, actorKind } = desire(agent, { mapping: { limits, classify } });
    expect(actorKind).toBe('agent');
    expect(desired.authMethods[0]?.config.claimMappings).toEqual({
      '/act/sub': 'actor',
      '/act/sub_profile': 'actor_profile',
      azp: 'client_id',
      sub: 'subject',
      sub_profile: 'subject_profile',
    });
    const selector = desired.bindingRules[0]?.selector ?? '';
    const delegated = { client_id: 'web', actor: 'web', subject: 'alice' };
    const says = (more: Record<string, string>) =>
      admits(selector, { value: { ...delegated, ...more }, list: {} });
    expect(says({})).toBe(true);
    for (const actor of ['ai_agent', 'AI_Agent', 'service ai_agent', 'ai_agent acme'])
      expect(says({ actor_profile: actor, subject_profile: 'USER' }), actor).toBe(true);
    for (const actor of ['', 'service', 'user', 'not_ai_agent', 'ai_agents', 'ai-agent'])
      expect(says({ actor_profile: actor }), actor).toBe(false);
    for (const subject of ['', 'service', 'ai_agent', 'super_user', 'users'])
      expect(says({ subject_profile: subject }), subject).toBe(false);
  });

  test('exactly this client, whatever ids and claims there are', () => {
    fc.assert(
      fc.property(
        hostileText,
        fc.dictionary(fc.constantFrom('client_id', 'own_token', 'subject', 'x'), hostileText),
        fc.boolean(),
        (clientId, value, isPeoples) => {
          const of = { ...(isPeoples ? people : web), clientId };
          const [rule] = desire(of).desired.bindingRules;
          if (clientId === '' || !clientId.isWellFormed()) expect(rule).toBeUndefined();
          else {
            const selector = rule?.selector ?? '';
            const own = isPeoples ? {} : { own_token: clientId };
            expect(admits(selector, { value: { client_id: clientId, ...own }, list: {} })).toBe(true);
            expect(admits(selector, { value, list: {} })).toBe(
              value.client_id === clientId && (isPeoples || value.own_token === clientId),
            );
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('a scope gives ACL rules', () => {
  test('only literally what the rule says, whatever the scope looks like', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          hostileText,
          hostileText.map((text) => `${text}:keys`),
        ),
        (scope) => {
          const { desired, holds } = desire(client('web', [scope]), {
            mapping: { rules: [aclRule('{name}:keys', 'key_prefix "apps/{name}/" { policy = "write" }')] },
          });
          const name = /^([a-z0-9][a-z0-9-]{0,127}):keys$/.exec(scope)?.[1];
          if (name !== undefined)
            expect(JSON.parse(desired.policies[0]?.rules ?? '')).toEqual({
              key_prefix: { [`apps/${name}/`]: { policy: 'write' } },
            });
          else
            expect([desired, holds.every(({ reason }) => reason === 'InvalidRules')]).toEqual([
              NOTHING_DESIRED,
              true,
            ]);
        },
      ),
      { numRuns: 300 },
    );
  });

  test.each([
    ['service "{name}" { policy = "write" }', 'vault', 'ProtectedDestination'],
    ['service_prefix "{name}-" { policy = "write" }', 'vault', undefined],
    ['service_prefix "v{name}t" { policy = "read" }', 'aul', 'ProtectedDestination'],
    ['service "{name}" { policy = "write" }', 'web', undefined],
    ['service "vault" { policy = "read" }', 'web', undefined],
  ])('%s with %j holds %j', (acl, name, reason) => {
    const { holds } = desire(client('web', [`${name}:x`]), {
      mapping: { rules: [aclRule('{name}:x', acl)], protectedServices: ['vault'] },
    });
    expect(holds.map((hold) => hold.reason)).toEqual(reason === undefined ? [] : [reason]);
  });

  test.each([
    [
      'that its kind may never use',
      { limits: { ...mapping().limits, workload: { never: ['config:*'] } } },
      'limited',
    ],
    [
      'that is for other kinds',
      { rules: [aclRule('config:read', READ_CONFIG, { actors: ['human'] })] },
      'limited',
    ],
    [
      'that asks for a user',
      { rules: [aclRule('config:read', READ_CONFIG, { userRequired: true })] },
      'UserTokenUnenforceable',
    ],
    ['whose rules cannot be read', { rules: [aclRule('config:read', 'nothing "a" {}')] }, 'InvalidRules'],
    ['of another API', { rules: [aclRule('config:read', READ_CONFIG, { api: 'x' })] }, 'nothing'],
    ['of another provider', { rules: [aclRule('config:read', READ_CONFIG, { provider: 'x' })] }, 'nothing'],
    ['where it is not said of which provider', { providers: ['main', 'x'] }, 'nothing'],
  ])('but none %s', (_, changes, told) => {
    const { desired, holds, limited } = desire(web, { mapping: changes });
    expect(desired).toEqual(NOTHING_DESIRED);
    expect(limited).toEqual(told === 'limited' ? ['config:read'] : []);
    expect(holds.map((hold) => hold.reason)).toEqual(['limited', 'nothing'].includes(told) ? [] : [told]);
  });
});

test('two clients whose ids differ in case have two roles', () => {
  expect(nameOfClient('Web').toLowerCase()).not.toBe(nameOfClient('web').toLowerCase());
});
