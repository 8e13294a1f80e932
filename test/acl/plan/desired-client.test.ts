import { describe, expect, test } from 'vitest';
import { desiredClient } from '../../../src/acl/plan/desired-client.js';
import { NOTHING_DESIRED } from '../../../src/acl/plan/login.js';
import {
  aclRule,
  client,
  desire,
  loginProvider,
  mapping,
  nameOfClient,
  OWN,
  READ_CONFIG,
  settings,
  WRITE_ORDERS,
} from './acl-scene.js';

const web = client('web', ['config:read']);

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
    [
      'that an order closed without a read',
      desire(web, { services: ['web'], clientBlock: 'RevocationUnconfirmed' }),
    ],
    [
      'in quarantine that could not log in without it',
      desire(client('web', ['other']), { clientBlock: 'ClientQuarantined' }),
    ],
  ])('%s, and nothing is held', (_, { desired, holds }) => {
    expect(desired).toEqual(NOTHING_DESIRED);
    expect(holds).toEqual([]);
  });

  test('in quarantine, and its login is held', () => {
    const { desired, holds } = desire(web, { services: ['web'], clientBlock: 'ClientQuarantined' });
    expect(desired).toEqual(NOTHING_DESIRED);
    expect(holds).toMatchObject([
      { reason: 'ClientQuarantined', action: 'grant', detail: expect.stringContaining('approve main/web') },
    ]);
  });

  test.each([
    ['whose provider has no audience', { audience: undefined }, {}, 'LoginUnverifiable'],
    ['whose provider has an empty audience', { audience: '' }, {}, 'LoginUnverifiable'],
    ['whose provider has no issuer', { issuer: '' }, {}, 'LoginUnverifiable'],
    ['whose provider has no algorithm', { signingAlgorithms: [] }, {}, 'LoginUnverifiable'],
    [
      'whose own tokens cannot be distinguished from those of people',
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
    expect(holds).toMatchObject([
      {
        reason: 'LoginUnverifiable',
        detail: expect.stringMatching(/provider main .*; add it under providers/),
      },
    ]);
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

  test.each([
    ['as it does already', 300, {}, 300],
    ['no longer than its kind may, with any existing lifetime', 7200, { maxTokenTtlSeconds: 900 }, 900],
    ['no longer than its kind may, if the existing tokens never end', 0, { maxTokenTtlSeconds: 900 }, 900],
    ['no longer than a day, if the existing tokens never end', 0, {}, 86_400],
    ['a minute if nothing exists yet', undefined, { maxTokenTtlSeconds: 900 }, 60],
  ])('where the lifetime cannot be read, %s', (_, existing, limit, expected) => {
    const { desired } = desire(
      { ...web, isLifetimeUnread: true },
      {
        mapping: { limits: { ...mapping().limits, workload: { never: [], ...limit } } },
        ...(existing === undefined ? {} : { standingTtlSeconds: existing }),
      },
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

test('a service that is protected now loses its identity although the catalog was not read', () => {
  const { desired } = desiredClient({
    client: client('web', []),
    mapping: mapping({ protectedServices: ['vault'] }),
    settings: settings(),
    claimStatuses: undefined,
    former: { name: 'x', description: '', policies: [], serviceIdentities: ['vault', 'web'] },
    clientBlock: undefined,
  });
  expect(desired.roles[0]?.serviceIdentities).toEqual(['web']);
});

test('two clients whose ids differ in case have two roles', () => {
  expect(nameOfClient('Web').toLowerCase()).not.toBe(nameOfClient('web').toLowerCase());
});
