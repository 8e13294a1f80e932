import { describe, expect, it } from 'vitest';
import type { Access } from '../../src/model/intention.js';
import type { ActorLimit, Mapping } from '../../src/model/rule.js';
import {
  ALLOW,
  claiming,
  client,
  entriesOf,
  entry,
  mapping,
  rule,
  type Scene,
  scene,
  source,
} from '../plan/scene.js';
import { proposalFor } from './scene-proposal.js';

const GET: Access = { kind: 'http', permissions: [{ methods: ['GET'], pathExact: '/v1' }] };
const BOTH: Access = { kind: 'http', permissions: [{ methods: ['GET', 'POST'], pathExact: '/v1' }] };

/** `web` may call `orders` so. */
const calls = (access: Access, changes: Partial<Scene> = {}) =>
  proposalFor(
    scene({
      mapping: mapping(),
      services: [claiming('web', 'web')],
      clients: [client('web', ['orders:call'])],
      entries: entriesOf(entry('orders', source('web', access))),
      ...changes,
    }),
  );
const whyOf = ({ unexplained }: ReturnType<typeof calls>) =>
  unexplained.map(({ reason, detail }) => [reason, detail]);
const withRule = (changes: Parameters<typeof rule>[2]) => ({
  mapping: mapping({ rules: [rule('orders:call', 'orders', changes)] }),
});
const limited = (workload: Partial<ActorLimit>): Partial<Scene> => ({
  mapping: mapping({
    limits: { ...mapping().limits, workload: { never: [], ...workload } },
  } as Partial<Mapping>),
});

describe('an intention that scopes explain', () => {
  it('names its client and all the scopes that open it, sorted', () => {
    const found = calls(BOTH, { clients: [client('web', ['orders:write', 'orders:read', 'insights'])] });
    expect(found.explained).toEqual([
      {
        source: { partition: 'default', namespace: 'default', name: 'web' },
        destination: { partition: 'default', namespace: 'default', name: 'orders' },
        access: BOTH,
        client: { provider: 'main', clientId: 'web' },
        scopes: ['orders:read', 'orders:write'],
      },
    ]);
    expect(found.unexplained).toEqual([]);
  });

  it('says what keeps it from being taken over', () => {
    const legacy = entriesOf(entry('orders', source('web', ALLOW, '', { isLegacy: true })));
    expect(calls(ALLOW, { entries: legacy }).explained).toMatchObject([{ hold: 'LegacyEntry' }]);
  });
});

describe('an intention that no scope explains', () => {
  it('opens less than the scopes of its client, or more', () => {
    expect(whyOf(calls(GET, withRule({})))).toEqual([
      ['OpensMore', expect.stringContaining('open more than the intention')],
    ]);
    expect(whyOf(calls(BOTH, withRule({ methods: ['GET'], pathExact: '/v1' })))).toEqual([
      ['OpensLess', expect.stringContaining('a part of it')],
    ]);
  });

  it('needs a token of a user by the rules of the file', () => {
    expect(whyOf(calls(ALLOW, withRule({ userRequired: true })))).toEqual([
      ['OpensLess', expect.stringContaining('the token of a user')],
    ]);
    const both = [
      rule('orders:call', 'orders', { userRequired: true }),
      rule('more', 'orders', { pathExact: '/v1' }),
    ];
    const clients = [client('web', ['orders:call', 'more'])];
    expect(whyOf(calls(ALLOW, { clients, mapping: mapping({ rules: both }) }))).toEqual([
      ['OpensLess', expect.stringContaining('the token of a user')],
    ]);
  });

  it('has a scope that the kind of its client may not use', () => {
    expect(whyOf(calls(ALLOW, limited({ never: ['orders:*'] })))).toEqual([
      ['ActorLimit', 'the scope orders:call is not for clients of kind workload'],
    ]);
    // What names another destination has nothing to do with it.
    const other = { ...limited({ never: ['insights'] }), clients: [client('web', ['insights'])] };
    expect(whyOf(calls(ALLOW, other)).map(([reason]) => reason)).toEqual(['NoScope']);
  });

  it('has a client that acts for people alone', () => {
    expect(whyOf(calls(ALLOW, limited({ onBehalfOf: 'human' })))[0]?.[0]).toBe('OpensLess');
    const clients = [client('web', [])];
    expect(whyOf(calls(ALLOW, { ...limited({ onBehalfOf: 'human' }), clients }))).toEqual([
      ['ActorLimit', 'a client of kind workload needs a user behind each call'],
    ]);
  });

  it('has a scope that would open more, by its name or its API', () => {
    const grants = [{ name: 'call', api: 'https://Orders' }];
    const clients = ['web', 'job'].map((id) => ({ ...client(id, []), grants }));
    expect(whyOf(calls(ALLOW, { clients }))).toEqual([
      ['WouldOpenMore', expect.stringMatching(/^scope .*call.*: a rule would open orders also to job/)],
    ]);
  });

  it('has scopes of which each may be the reason', () => {
    const entries = entriesOf(entry('reports', source('web', ALLOW), source('job', ALLOW)));
    const clients = ['web', 'job'].map((id) => client(id, ['x', 'insights', 'figures']));
    expect(whyOf(calls(ALLOW, { clients: clients.slice(0, 2), entries }))[0]).toEqual([
      'SeveralScopes',
      'scope x may be its reason, and others as well',
    ]);
  });

  it('has no scope for it', () => {
    expect(whyOf(calls(ALLOW, { clients: [client('web', ['insights'])] }))).toEqual([
      ['NoScope', 'the client main/web has no scope that names the destination'],
    ]);
  });

  it('has a source of which no client is known, or not for sure', () => {
    expect(whyOf(calls(ALLOW, { clients: [], services: [] }))).toEqual([
      ['UnknownSource', expect.stringContaining('no client names the service')],
    ]);
    expect(whyOf(calls(ALLOW, { services: [claiming('web', 'web', 'job')] }))).toEqual([
      ['UnclearSource', expect.stringContaining('claim different clients')],
    ]);
  });
});
