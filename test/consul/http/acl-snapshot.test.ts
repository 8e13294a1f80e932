import { afterEach, describe, expect, it } from 'vitest';
import { parseDurationSeconds } from '../../../src/consul/http/acl-duration.js';
import { createMovableClock } from '../../support/movable-clock.js';
import {
  ABSENT,
  type AclUnderFault,
  faultyAcl,
  ONE_OF_EACH,
  rawConfig,
  rawMethod,
  rawPolicy,
  rawRole,
  rawRule,
} from './acl-faults.js';
import { type Exchange, failureOf } from './fault-server.js';

const never = new AbortController().signal;
const open: AclUnderFault[] = [];

afterEach(async () => {
  for (const each of open.splice(0)) await each.close();
});

async function against(...parameters: Parameters<typeof faultyAcl>): Promise<AclUnderFault> {
  const rig = await faultyAcl(...parameters);
  open.push(rig);
  return rig;
}

const at = (path: string, answer: (exchange: Exchange) => void) => (exchange: Exchange) => {
  if (exchange.url.pathname !== path) return false;
  answer(exchange);
  return true;
};
const everything = () => true;
const tables = ['policies', 'roles', 'auth-methods', 'binding-rules'] as const;
const singles = ['policy/policy-1', 'auth-method/ours'] as const;

describe('a snapshot of ACL objects', () => {
  it('is made of four lists and one read for each policy and each method of ours, all consistent', async () => {
    const { acl, seen } = await against(() => false);
    const snapshot = await acl.read(everything, never);
    expect(snapshot.policies).toMatchObject([{ id: 'policy-1', object: { rules: '{}' }, modifyIndex: 3 }]);
    expect(snapshot.roles).toMatchObject([{ object: { policies: ['ours'], serviceIdentities: ['web'] } }]);
    expect(snapshot.authMethods).toMatchObject([{ id: 'ours', object: { maxTokenTtlSeconds: 300 } }]);
    expect(snapshot.bindingRules).toMatchObject([{ id: 'rule-1', object: { bindType: 'role' } }]);
    expect([...seen].sort()).toEqual(
      [...tables, ...singles].map((path) => `GET /v1/acl/${path}?consistent`).sort(),
    );
  });

  it('reads of others nothing but the list, and of other types of methods neither', async () => {
    const rig = await against(
      at('/v1/acl/auth-methods', ({ reply }) => reply(200, [{ ...rawMethod, Type: 'kubernetes' }])),
    );
    const snapshot = await rig.acl.read(everything, never);
    expect(snapshot.authMethods).toEqual([]);
    expect(snapshot.otherMethods).toEqual(['ours']);
    const { otherIdentities } = await rig.acl.read(() => false, never);
    expect(otherIdentities).toEqual(new Map([['web', ['ours']]]));
    expect(rig.seen.filter((each) => each.includes('/policy/') || each.includes('/auth-method/'))).toEqual([
      'GET /v1/acl/policy/policy-1?consistent',
    ]);
  });

  const faults: readonly (readonly [string, (exchange: Exchange) => void])[] = [
    ['filtered', ({ reply }) => reply(200, [], { 'X-Consul-Results-Filtered-By-ACLs': 'true' })],
    ['without a leader', ({ reply }) => reply(200, [], { 'X-Consul-KnownLeader': 'false' })],
    ['without an index', ({ reply }) => reply(200, [], { 'X-Consul-Index': undefined })],
    ['cut off', ({ reply }) => reply(200, '[{"ID":"x","Na')],
    ['null', ({ reply }) => reply(200, 'null')],
    ['an object', ({ reply }) => reply(200, '{}')],
    ['of numbers', ({ reply }) => reply(200, '[1]')],
    ['of nameless things', ({ reply }) => reply(200, [{ ID: 'x', Name: '', AuthMethod: '', Type: 'jwt' }])],
    [
      'of things with an invalid id',
      ({ reply }) => reply(200, [{ ...rawPolicy, ID: 7, Name: 7, AuthMethod: 7 }]),
    ],
  ];
  for (const table of tables) {
    for (const [name, fault] of faults) {
      it(`is refused where the list of ${table} is ${name}`, async () => {
        const { acl } = await against(at(`/v1/acl/${table}`, fault));
        expect(await failureOf(acl.read(everything, never))).toMatchObject({ code: 'ERR_CONSUL_INCOMPLETE' });
      });
    }
    it(`is refused where the list of ${table} has something twice`, async () => {
      const rows = [...[ONE_OF_EACH[`/v1/acl/${table}`]].flat(), ...[ONE_OF_EACH[`/v1/acl/${table}`]].flat()];
      const { acl } = await against(at(`/v1/acl/${table}`, ({ reply }) => reply(200, rows)));
      expect(await failureOf(acl.read(everything, never))).toMatchObject({ code: 'ERR_CONSUL_INCOMPLETE' });
    });
    it(`is refused where the index of ${table} goes back`, async () => {
      let index = 100;
      const { acl } = await against(
        at(`/v1/acl/${table}`, ({ reply }) =>
          reply(200, ONE_OF_EACH[`/v1/acl/${table}`], { 'X-Consul-Index': String(index) }),
        ),
        { clock: createMovableClock() },
      );
      await acl.read(everything, never);
      index = 99;
      const failure = await failureOf(acl.read(everything, never));
      expect(failure).toMatchObject({ code: 'ERR_CONSUL_INCOMPLETE', retriable: true });
      expect(failure.message).toContain('went back from 100 to 99');
    });
  }

  it('is whole where two reads overlap and the older answer comes last', async () => {
    const held: Exchange[] = [];
    const { acl } = await against(
      at('/v1/acl/roles', (exchange) => {
        held.push(exchange);
        const [older, newer] = held;
        if (older === undefined || newer === undefined) return;
        newer.reply(200, [rawRole], { 'X-Consul-Index': '200' });
        newer.response.once('close', () => older.reply(200, [rawRole], { 'X-Consul-Index': '100' }));
      }),
    );
    const snapshots = await Promise.all([acl.read(everything, never), acl.read(everything, never)]);
    expect(snapshots.map(({ roles }) => roles.length)).toEqual([1, 1]);
  });

  it('leaves out what disappears between the list and the single read', async () => {
    const { acl } = await against((exchange) => {
      if (exchange.url.pathname === '/v1/acl/auth-method/ours') exchange.reply(404, '', ABSENT);
      else if (exchange.url.pathname === '/v1/acl/policy/policy-1') {
        policies.length = 0;
        exchange.reply(403, 'ACL not found');
      } else if (exchange.url.pathname === '/v1/acl/policies') exchange.reply(200, policies);
      else return false;
      return true;
    });
    const policies: object[] = [rawPolicy];
    const snapshot = await acl.read(everything, never);
    expect([snapshot.policies, snapshot.authMethods]).toEqual([[], []]);
    expect(snapshot.roles).toHaveLength(1);
  });

  it('is refused where a policy is in the list and is said not to be there', async () => {
    const { acl } = await against(at('/v1/acl/policy/policy-1', ({ reply }) => reply(403, 'ACL not found')));
    expect(await failureOf(acl.read(everything, never))).toMatchObject({ code: 'ERR_CONSUL_INCOMPLETE' });
  });

  it('is refused where a proxy says 404 in place of Consul', async () => {
    for (const path of singles) {
      const { acl } = await against(
        at(`/v1/acl/${path}`, ({ reply }) => reply(404, 'no such page', { 'X-Consul-Index': undefined })),
      );
      expect(await failureOf(acl.read(everything, never))).toMatchObject({ code: 'ERR_CONSUL_INCOMPLETE' });
    }
  });

  it('is refused where rules or configuration are hidden, or have an unknown shape', async () => {
    const hidden: readonly (readonly [string, unknown])[] = [
      ['policy/policy-1', rawPolicy],
      ['policy/policy-1', { ...rawPolicy, Rules: '<hidden>' }],
      ['policy/policy-1', { ...rawPolicy, Rules: null }],
      ['auth-method/ours', rawMethod],
      ['auth-method/ours', { ...rawMethod, Config: null }],
      ['auth-method/ours', { ...rawMethod, Config: 'x' }],
      ['auth-method/ours', { ...rawMethod, Config: rawConfig, MaxTokenTTL: 'soon' }],
      ['auth-method/ours', { ...rawMethod, Config: rawConfig, MaxTokenTTL: 300 }],
      ['auth-method/ours', { ...rawMethod, Config: rawConfig, Type: 'oidc' }],
      ['roles', [{ ...rawRole, Policies: 'ours' }]],
      ['roles', [{ ...rawRole, Policies: [{ ID: 'policy-1' }] }]],
      ['roles', [{ ...rawRole, ServiceIdentities: [{ ServiceName: '' }] }]],
      ['roles', [{ ...rawRole, ModifyIndex: -1 }]],
      ['binding-rules', [{ ...rawRule, BindType: 'everything' }]],
      ['binding-rules', [{ ...rawRule, Selector: ['x'] }]],
    ];
    for (const [path, body] of hidden) {
      const { acl } = await against(at(`/v1/acl/${path}`, ({ reply }) => reply(200, body)));
      const failure = await failureOf(acl.read(everything, never));
      expect([path, body, failure.code]).toEqual([path, body, 'ERR_CONSUL_INCOMPLETE']);
    }
  });

  it('tells what is not modelled, of newer versions too', async () => {
    const altered: readonly (readonly [string, unknown])[] = [
      ['policy/policy-1', { ...rawPolicy, Rules: '{}', Datacenters: ['dc2'] }],
      ['roles', [{ ...rawRole, TemplatedPolicies: [{ TemplateName: 'builtin/service' }] }]],
      ['roles', [{ ...rawRole, ServiceIdentities: [{ ServiceName: 'web', Datacenters: ['dc2'] }] }]],
      ['auth-method/ours', { ...rawMethod, Config: rawConfig, NamespaceRules: [{ Selector: '' }] }],
      ['auth-method/ours', { ...rawMethod, Config: { ...rawConfig, VerboseOIDCLogging: true } }],
      ['auth-method/ours', { ...rawMethod, Config: { ...rawConfig, claimmappings: { a: 'b' } } }],
      ['auth-method/ours', { ...rawMethod, Config: { ...rawConfig, ClaimMappings: { azp: 1 } } }],
      ['auth-method/ours', { ...rawMethod, Config: { ...rawConfig, OIDCDiscoveryCACert: 'x' } }],
      ['auth-method/ours', { ...rawMethod, Config: { ...rawConfig, ClockSkewLeeway: -1 } }],
      ['binding-rules', [{ ...rawRule, BindVars: { Name: 'x' } }]],
    ];
    for (const [path, body] of altered) {
      const { acl } = await against(at(`/v1/acl/${path}`, ({ reply }) => reply(200, body)));
      const { policies, roles, authMethods, bindingRules } = await acl.read(everything, never);
      const flags = [...policies, ...roles, ...authMethods, ...bindingRules].filter((each) => each.isAltered);
      expect([path, body, flags.length]).toEqual([path, body, 1]);
    }
  });

  it('takes for nothing what Go writes for nothing', async () => {
    const plain = {
      ...ONE_OF_EACH,
      '/v1/acl/policy/policy-1': { ...rawPolicy, Rules: '{}', Datacenters: [], Namespace: 'default' },
      '/v1/acl/roles': [{ ...rawRole, NodeIdentities: null, TemplatedPolicies: [], Partition: 'default' }],
      '/v1/acl/auth-method/ours': {
        ...rawMethod,
        DisplayName: '',
        TokenLocality: 'local',
        Config: {
          ...rawConfig,
          JWKSCACert: '',
          ListClaimMappings: {},
          ExpirationLeeway: 0,
          JWTSupportedAlgs: null,
        },
      },
      '/v1/acl/binding-rules': [{ ...rawRule, BindVars: null }],
    };
    const { acl } = await against(({ url, reply }) => {
      reply(200, Object.entries(plain).find(([path]) => path === url.pathname)?.[1]);
      return true;
    });
    const { policies, roles, authMethods, bindingRules } = await acl.read(everything, never);
    const all = [...policies, ...roles, ...authMethods, ...bindingRules];
    expect(all.map((each) => each.isAltered)).toEqual([false, false, false, false]);
  });

  it('has at most 16 single reads in flight, and ends them all when one fails', async () => {
    const rows = Array.from({ length: 60 }, (_, n) => ({ ...rawPolicy, ID: `policy-${n}`, Name: `p-${n}` }));
    let inFlight = 0;
    let most = 0;
    let answered = 0;
    const { acl } = await against((exchange) => {
      if (exchange.url.pathname === '/v1/acl/policies') exchange.reply(200, rows);
      else if (exchange.url.pathname.startsWith('/v1/acl/policy/')) {
        inFlight += 1;
        most = Math.max(most, inFlight);
        setImmediate(() => {
          inFlight -= 1;
          answered += 1;
          const row = rows.find(({ ID }) => exchange.url.pathname.endsWith(`/${ID}`));
          if (answered === 50) exchange.reply(500, 'No cluster leader');
          else exchange.reply(200, { ...row, Rules: '' });
        });
      } else return false;
      return true;
    });
    expect(await failureOf(acl.read(everything, never))).toMatchObject({ code: 'ERR_CONSUL_UNREACHABLE' });
    expect(most).toBeLessThanOrEqual(16);
    expect(most).toBeGreaterThan(1);
  });
});

describe('a duration of Go', () => {
  it('is read in seconds, and nothing else is one', () => {
    const durations = { '5m0s': 300, '24h0m0s': 86_400, '1m0.5s': 60.5, '250ms': 0.25, '1h': 3600, '0s': 0 };
    for (const [text, seconds] of Object.entries(durations))
      expect(parseDurationSeconds(text)).toBeCloseTo(seconds);
    for (const text of ['', '5', '5x', 'm', '-5m', '1m 5s', '5m\n', `${'9'.repeat(20)}s`, '1e3s']) {
      expect(parseDurationSeconds(text)).toBeUndefined();
    }
  });
});
