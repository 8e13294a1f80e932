import { describe, expect, test } from 'vitest';
import { desiredClient } from '../../../src/plan/acl/desired-client.js';
import type { FirstLogin } from '../../../src/plan/acl/first-logins.js';
import { NOTHING_DESIRED } from '../../../src/plan/acl/login.js';
import type { ClaimStatus } from '../../../src/plan/claims.js';
import { createSelection } from '../../../src/plan/selection.js';
import {
  aclRule,
  claimed,
  client,
  desire,
  loginProvider,
  mapping,
  named,
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
    expect(holds[0]?.detail).toContain(`the service "${service}"`);
    expect(holds[0]?.detail).toMatch(/; (rename|remove) /);
  });

  test('to no client that acts for people, and that is held with the services and what to do', () => {
    const { desired, holds } = desire(of, {
      services: ['web', 'api'],
      mapping: { limits: { ...mapping().limits, workload: { never: [], onBehalfOf: 'human' } } },
    });
    expect(desired).toEqual(NOTHING_DESIRED);
    expect(holds).toMatchObject([
      { reason: 'UserTokenUnenforceable', detail: expect.stringMatching(/ api, web; give .* login: off/) },
    ]);
  });

  const standingOf = (claimStatuses: readonly ClaimStatus[] | undefined, had: readonly string[]) =>
    desiredClient({
      client: of,
      mapping: mapping(),
      settings: settings(),
      claimStatuses,
      former:
        had.length === 0
          ? undefined
          : { name: 'x', description: '', policies: [], serviceIdentities: [...had] },
      clientBlock: undefined,
    }).desired.roles[0]?.serviceIdentities;

  const service = named('web');
  test.each<readonly [string, readonly ClaimStatus[] | undefined, readonly string[] | undefined]>([
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
  ])('%s: only what existed may stay', (_, claimStatuses, kept) => {
    expect(standingOf(claimStatuses, ['web'])).toEqual(kept);
    expect(standingOf(claimStatuses, [])).toBeUndefined();
  });
});

describe('a service without instances gives its identity to the client that names it', () => {
  const of = client('web', []);
  const first = (name: string, changes: Partial<FirstLogin> = {}): FirstLogin => ({
    service: named(name),
    rivals: 0,
    examples: [],
    isCertain: true,
    ...changes,
  });
  const rivals = { rivals: 1, examples: [{ provider: 'main', clientId: 'api' }] };
  const given = (
    firstLogins: readonly FirstLogin[],
    had: readonly string[] = [],
    changes: Partial<Parameters<typeof mapping>[0]> = {},
    claimStatuses: readonly ClaimStatus[] = [],
  ) =>
    desiredClient({
      client: of,
      mapping: mapping(changes),
      settings: settings({ firstLogin: true }),
      claimStatuses,
      firstLogins,
      former: { name: 'x', description: '', policies: [], serviceIdentities: had },
      clientBlock: undefined,
    });
  const delegated = {
    limits: { ...mapping().limits, workload: { never: [], onBehalfOf: 'human' as const } },
  };

  test.each<
    readonly [
      string,
      Parameters<typeof given>,
      identities: readonly string[] | undefined,
      reasons: readonly string[],
    ]
  >([
    ['it alone certainly names it', [[first('web')]], ['web'], []],
    ['another client names it, so it gains nothing', [[first('web', rivals)]], undefined, ['ClaimAmbiguous']],
    [
      'another client names it, and it has it',
      [[first('web', rivals)], ['web']],
      ['web'],
      ['ClaimAmbiguous'],
    ],
    ['it is not certain, so it gains nothing', [[first('web', { isCertain: false })]], undefined, []],
    ['it is not certain, and it has it', [[first('web', { isCertain: false })], ['web']], ['web'], []],
    [
      'the service is protected',
      [[first('vault')], ['vault'], { protectedServices: ['vault'] }],
      undefined,
      ['ProtectedDestination'],
    ],
    ['the name is none for an identity', [[first('Web')]], undefined, ['InvalidServiceName']],
    [
      'it is in another partition than the configured one',
      [[first('web')], [], { place: { partition: 'eu', namespace: 'default' } }],
      undefined,
      ['InvalidServiceName'],
    ],
    [
      'it is in the configured partition',
      [
        [{ ...first('web'), service: { ...named('web'), partition: 'eu' } }],
        [],
        { place: { partition: 'eu', namespace: 'default' } },
      ],
      ['web'],
      [],
    ],
    [
      'the client must act for a human',
      [[first('web')], [], delegated],
      undefined,
      ['UserTokenUnenforceable'],
    ],
    [
      'the service is outside the selection',
      [[first('web', rivals)], [], { select: createSelection({ services: ['api'] }) }],
      undefined,
      [],
    ],
  ])('%s: of services that it names', (_, input, identities, reasons) => {
    const { desired, holds, namedServices } = given(...input);
    expect(desired.roles[0]?.serviceIdentities).toEqual(identities);
    expect(namedServices).toEqual(identities ?? []);
    expect(holds.map(({ reason }) => reason)).toEqual(reasons);
  });

  test('and says who else names it', () => {
    expect(given([first('web', rivals)]).holds[0]?.detail).toContain(
      'another client ("main/api") also names it',
    );
    const many = { rivals: 5_000, examples: [] };
    expect(given([first('web', many)]).holds[0]?.detail).toContain('5000 other clients also name it');
  });

  test('beside the services that claim the client, which do not rest on the name', () => {
    const { desired, namedServices } = given([first('web')], [], {}, [claimed(of, 'api')]);
    expect(desired.roles[0]?.serviceIdentities).toEqual(['api', 'web']);
    expect(namedServices).toEqual(['web']);
  });
});

describe('people who log in by a client that names a service', () => {
  const people = client('web', ['config:read'], { grantTypes: ['authorization_code'] });
  const first: FirstLogin = { service: named('api'), rivals: 0, examples: [], isCertain: true };
  const given = (changes: Partial<Parameters<typeof desiredClient>[0]>) =>
    desiredClient({
      client: people,
      mapping: mapping({ rules: [aclRule('config:read', READ_CONFIG)] }),
      settings: settings({ firstLogin: true }),
      claimStatuses: [],
      firstLogins: [first],
      former: undefined,
      clientBlock: undefined,
      ...changes,
    });

  test('still log in: the name gives no identity', () => {
    const { desired, holds, namedServices, actorKind } = given({ existingProof: 'any' });
    expect(actorKind).toBe('human');
    expect(desired).toEqual(given({ firstLogins: [] }).desired);
    expect(desired.bindingRules[0]?.selector).not.toContain('own_token');
    expect(namedServices).toEqual([]);
    expect(holds).toMatchObject([{ reason: 'LoginUnverifiable', detail: expect.stringContaining('api') }]);
  });

  test.each<[string, Parameters<typeof given>[0]]>([
    ['it is a new client', {}],
    ['its tokens had to prove it already', { existingProof: 'own' }],
    ['an instance claims it', { existingProof: 'any', claimStatuses: [claimed(people, 'api')] }],
  ])('do not any more where %s', (_, changes) => {
    expect(given(changes).desired.roles[0]?.serviceIdentities).toEqual(['api']);
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
