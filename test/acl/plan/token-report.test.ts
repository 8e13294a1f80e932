import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type GrantObjects,
  isWithin,
  type Power,
  powerText,
  singleRules,
} from '../../../src/acl/plan/token-power.js';
import { countTokens, reportTokens, type TokenReport } from '../../../src/acl/plan/token-report.js';
import { Authorizer } from '../../../src/embedded/consul/acl/authorizer.js';
import { namedResources, parseAclRules, scalarResources } from '../../../src/embedded/consul/acl/rules.js';
import {
  type AclPolicy,
  type AclRole,
  type AclToken,
  MANAGEMENT_POLICY_ID,
  type Stored,
} from '../../../src/model/acl.js';
import { aclRule, aclToken, client, desire, identityRules, READ_CONFIG } from './acl-scene.js';

const NOW = Date.UTC(2026, 0, 2);

function stored<T>(object: T, id = 'id', isAltered = false): Stored<T> {
  return { id, object, isAltered, modifyIndex: 1 };
}

const policy = (name: string, rules: string): AclPolicy => ({ name, description: '', rules });
const role = (name: string, changes: Partial<AclRole> = {}): AclRole => ({
  name,
  description: '',
  policies: [],
  serviceIdentities: [],
  ...changes,
});

const OBJECTS: GrantObjects = {
  policies: [
    stored(policy('Everything', 'operator = "write"'), MANAGEMENT_POLICY_ID),
    stored(policy('config', 'key_prefix "config/" {\n  policy = "read"\n}')),
    stored(policy('odd', 'namespace "team" { policy = "write" }')),
    stored(policy('empty', ' \n')),
    stored(policy('one-dc', READ_CONFIG), 'x', true),
    stored(policy('many', `${READ_CONFIG} key_prefix "orders/" { policy = "read" }`)),
    stored(policy('web', 'service "web" { policy = "write" } service_prefix "" { policy = "read" }')),
    stored(
      policy(
        'intentions',
        'service "web" { policy = "write" } service_prefix "" { policy = "read" intentions = "write" }',
      ),
    ),
    stored(policy('denied', 'key_prefix "config/" { policy = "read" } key "config/a" { policy = "deny" }')),
  ],
  roles: [
    stored(role('web', { policies: ['CONFIG'], serviceIdentities: ['web'] })),
    stored(role('admin', { policies: ['everything'] })),
    stored(role('node', { serviceIdentities: ['web'] }), 'x', true),
  ],
};

/** All of it at once. */
function reported(input: Parameters<typeof reportTokens>[0]): readonly TokenReport[] {
  const work = reportTokens(input);
  for (;;) {
    const { done, value } = work.next();
    if (done) return value;
  }
}

function report(
  tokens: readonly AclToken[],
  clients: Parameters<typeof desire>[] = [],
): readonly TokenReport[] {
  return reported({
    tokens,
    objects: OBJECTS,
    clients: clients.map(([of, changes]) => ({
      id: { provider: of.provider, clientId: of.clientId },
      desired: desire(of, changes).desired,
    })),
    now: NOW,
  });
}

describe('the tokens of a Consul', () => {
  const all = [
    aclToken('login', { authMethod: 'okta', expiresAt: '2026-01-02T01:00:00Z', isManagement: true }),
    aclToken('00000000-0000-0000-0000-000000000002', { isManagement: true }),
    aclToken('ending', { expiresAt: '2026-02-01T00:00:00Z' }),
    aclToken('younger', { createdAt: '2026-01-01T12:00:00Z' }),
    aclToken('root', { isManagement: true, policies: ['Everything'] }),
    aclToken('b'),
    aclToken('a'),
  ];

  test('are each of one kind, the worst kind first and then the oldest', () => {
    expect(report(all).map((each) => [each.kind, each.token.accessorId])).toEqual([
      ['management', 'root'],
      ['static', 'a'],
      ['static', 'b'],
      ['static', 'younger'],
      ['static-expiring', 'ending'],
      ['anonymous', '00000000-0000-0000-0000-000000000002'],
      ['login', 'login'],
    ]);
    expect(countTokens(all)).toEqual({
      management: 1,
      static: 3,
      'static-expiring': 1,
      anonymous: 1,
      login: 1,
    });
  });

  test('have an age, which no clock makes negative', () => {
    const ages = report([aclToken('a'), aclToken('b', { createdAt: '2026-01-03T00:00:00Z' })]);
    expect(ages.map(({ ageSeconds }) => ageSeconds)).toEqual([86_400, 0]);
  });
});

describe('what a token can do', () => {
  test.each<readonly [string, Partial<AclToken>, readonly string[]]>([
    ['is nothing without links', {}, []],
    ['is nothing by a policy without rules', { policies: ['empty'] }, []],
    [
      'is what its policies say, in any case of their names',
      { policies: ['Config'] },
      ['key_prefix "config/" read'],
    ],
    ['is what its roles have', { roles: ['WEB'] }, ['identity of service web', 'key_prefix "config/" read']],
    ['is everything by the policy for that, whatever its name', { policies: ['everything'] }, ['everything']],
    ['is everything by a role with that policy', { roles: ['admin'] }, ['everything']],
    [
      'is more than can be shown',
      {
        policies: ['odd', 'one-dc', 'gone'],
        roles: ['node', 'gone'],
        nodeIdentities: ['dc1/m'],
        templatedPolicies: ['builtin/dns'],
      },
      [
        'identity of node dc1/m',
        'identity of service web',
        'policy gone, which was not read',
        'policy one-dc, in some datacenters',
        'role gone, which was not read',
        'rules that scopemesh does not read',
        'template builtin/dns',
        'what role node has beside policies and services',
      ],
    ],
  ])('%s', (_name, changes, expected) => {
    expect(report([aclToken('a', changes)])[0]?.can).toEqual(expected);
  });

  test('is not known where no rules were read', () => {
    const [only] = reported({ tokens: [aclToken('a')], objects: undefined, clients: [], now: NOW });
    expect(only).toMatchObject({ can: undefined, replaceableBy: [] });
  });

  test('is said with every name quoted', () => {
    const rules = new Set([JSON.stringify({ key: { 'a" read; acl': { policy: 'write' } } })]);
    const power: Power = { isManagement: false, rules, services: new Set(), more: new Set() };
    expect(powerText(power)).toEqual(['key "a\\" read; acl" write']);
  });
});

describe('a static token could be replaced by', () => {
  const web = client('web-app', ['config:read']);
  const plain = client('web-app', []);
  const CONFIG = aclRule('config:read', READ_CONFIG);
  const ORDERS = aclRule('orders:keys', 'key_prefix "orders/" { policy = "read" }');
  const WIDER_ORDERS = aclRule('orders:keys', 'key_prefix "orders/" { policy = "write" }');

  test.each<readonly [string, Partial<AclToken>, Parameters<typeof desire>, boolean]>([
    ['a client with the same service', { serviceIdentities: ['web'] }, [plain, { services: ['web'] }], true],
    ['a client with the same rules', { policies: ['config'] }, [web], true],
    ['a client with both', { roles: ['web'] }, [web, { services: ['web'] }], true],
    [
      'a client with more, about other resources',
      { policies: ['config'] },
      [web, { services: ['web'] }],
      true,
    ],
    ['no client with less', { roles: ['web'] }, [web], false],
    ['no client of another service', { serviceIdentities: ['web'] }, [plain, { services: ['api'] }], false],
    [
      'a client with another service beside its own',
      { serviceIdentities: ['web'] },
      [plain, { services: ['web', 'api'] }],
      true,
    ],
    [
      'a client with the rules of one policy in several',
      { policies: ['many'] },
      [client('web-app', ['config:read', 'orders:keys']), { mapping: { rules: [CONFIG, ORDERS] } }],
      true,
    ],
    [
      'a client with more in place of a rule',
      { policies: ['many'] },
      [client('web-app', ['config:read', 'orders:keys']), { mapping: { rules: [CONFIG, WIDER_ORDERS] } }],
      true,
    ],
    [
      'a client whose service gives it what the policy says',
      { policies: ['web'] },
      [plain, { services: ['web'] }],
      true,
    ],
    [
      'no client of another service than its policy',
      { policies: ['web'] },
      [plain, { services: ['api'] }],
      false,
    ],
    [
      'no client whose service takes an intention away',
      { policies: ['intentions'] },
      [plain, { services: ['web'] }],
      false,
    ],
    ['no client that lacks a denial alone', { policies: ['denied'] }, [web], false],
    ['no client, if it can do nothing', {}, [web], false],
    ['no client, if it can do everything', { policies: ['everything', 'config'] }, [web], false],
    ['no client, if not all is known of it', { policies: ['config', 'gone'] }, [web], false],
    ['no client, if it came from a login', { policies: ['config'], authMethod: 'okta' }, [web], false],
  ])('%s', (_name, changes, login, expected) => {
    const found = report([aclToken('a', changes)], [login])[0]?.replaceableBy;
    expect(found).toEqual(expected ? [{ provider: 'main', clientId: 'web-app' }] : []);
  });

  test('many logins, compared in small pieces; where none can replace it, few are compared', () => {
    const { desired } = desire(web);
    const clients = Array.from({ length: 2_000 }, (_, at) => ({
      id: { provider: 'main', clientId: `app-${at}` },
      desired,
    }));
    const piecesFor = (changes: Partial<AclToken>) => {
      const work = reportTokens({ tokens: [aclToken('a', changes)], objects: OBJECTS, clients, now: NOW });
      for (let pieces = 0; ; pieces++) if (work.next().done === true) return pieces;
    };
    const without = piecesFor({ authMethod: 'okta' });
    expect(piecesFor({ policies: ['config'] }) - without).toBe(40);
    expect(piecesFor({ roles: ['web'] }) - without).toBe(0);
  });

  test('those first who have the least beside', () => {
    const clients = [
      client('all-app', ['config:read', 'orders:keys']),
      client('web-app', ['config:read']),
    ].map((of): Parameters<typeof desire> => [of, { mapping: { rules: [CONFIG, ORDERS] } }]);
    // Orders are keys too, and reading them gives less than there is to give.
    expect(report([aclToken('a', { policies: ['config'] })], clients)[0]?.replaceableBy).toEqual([
      { provider: 'main', clientId: 'web-app' },
    ]);
    const wider = clients.map(
      ([of]): Parameters<typeof desire> => [of, { mapping: { rules: [CONFIG, WIDER_ORDERS] } }],
    );
    expect(
      report([aclToken('a', { policies: ['config'] })], wider)[0]?.replaceableBy.map(
        ({ clientId }) => clientId,
      ),
    ).toEqual(['web-app', 'all-app']);
  });

  test.each<readonly [string, Partial<AclToken>, Parameters<typeof desire>, readonly string[] | undefined]>([
    ['lacks a scope', { roles: ['web'] }, [plain, { services: ['web'] }], ['key_prefix "config/" read']],
    ['lacks a denial', { policies: ['denied'] }, [web], ['key "config/a" deny']],
    [
      'has a rule that takes something away',
      { policies: ['intentions'] },
      [plain, { services: ['web'] }],
      ['service_prefix "" read, intentions write', 'no rule service "web-sidecar-proxy" write'],
    ],
    ['is of another service', { serviceIdentities: ['web'] }, [plain, { services: ['api'] }], undefined],
    ['has nothing of it', { policies: ['config'] }, [plain, { services: ['web'] }], undefined],
  ])('a login that %s, if that is mended', (_name, changes, login, lacks) => {
    const [only] = report([aclToken('a', changes)], [login]);
    expect(only?.nearest).toEqual(lacks && { id: { provider: 'main', clientId: 'web-app' }, lacks });
  });

  test.each<readonly [Partial<AclToken>, readonly string[]]>([
    [{ policies: ['everything', 'config'] }, ['everything']],
    [{ policies: ['odd', 'config'] }, ['rules that scopemesh does not read']],
    [{ nodeIdentities: ['dc1/m'], serviceIdentities: ['web'] }, ['identity of node dc1/m']],
    [{ policies: ['config'] }, []],
  ])('no login, as far as no login grants what it has: %j', (changes, beyond) => {
    expect(report([aclToken('a', changes)], [[web]])[0]?.beyond).toEqual(beyond);
  });

  const name = fc.constantFrom('', 'a', 'ab', 'abc');
  const level = fc.constantFrom('deny', 'read', 'write');
  const ruleText = fc.oneof(
    fc.tuple(fc.constantFrom(...scalarResources), level).map(([word, policy]) => `${word} = "${policy}"`),
    fc
      .tuple(fc.constantFrom(...namedResources), fc.boolean(), name, level, fc.option(level))
      .map(([word, isPrefix, on, policy, intentions]) => {
        const more = word === 'service' && intentions !== null ? ` intentions = "${intentions}"` : '';
        return `${word}${isPrefix ? '_prefix' : ''} "${on}" { policy = "${policy}"${more} }`;
      }),
  );
  const texts = fc.uniqueArray(ruleText, { maxLength: 4 });

  const services = fc.uniqueArray(fc.constantFrom('a', 'ab'), { maxLength: 2 });
  test('only a login that may do all that the token may, as Consul decides', () => {
    const rulesOf = (rules: readonly string[], identities: readonly string[]) =>
      singleRules({
        isManagement: false,
        rules: new Set(rules),
        services: new Set(identities),
        more: new Set(),
      }) ?? [];
    const decider = (rules: readonly string[], identities: readonly string[]) =>
      new Authorizer('a', [...rules, ...identities.map(identityRules)].map(parseAclRules), {
        named: false,
        acl: false,
      });
    let runs = 0;
    let within = 0;
    fc.assert(
      fc.property(texts, services, texts, services, fc.boolean(), (own, ownServices, extra, more, keeps) => {
        runs++;
        const wide = [...new Set([...(keeps ? own : []), ...extra])];
        const wideServices = [...new Set([...(keeps ? ownServices : []), ...more])];
        if (!isWithin(rulesOf(own, ownServices), rulesOf(wide, wideServices))) return;
        if (wide.length + wideServices.length > own.length + ownServices.length) within++;
        const [narrow, wider] = [decider(own, ownServices), decider(wide, wideServices)];
        for (const resource of [...scalarResources, ...namedResources, 'intention'] as const)
          for (const access of ['read', 'list', 'write'] as const)
            for (const on of ['', 'a', 'ab', 'abc', 'abcd', 'a-sidecar-proxy', 'b', '*'])
              if (narrow.isAllowed(resource, access, on))
                expect([resource, access, on, wider.isAllowed(resource, access, on)]).toEqual([
                  resource,
                  access,
                  on,
                  true,
                ]);
      }),
      { numRuns: 800 },
    );
    expect(within).toBeGreaterThan(runs / 8);
  });
});
