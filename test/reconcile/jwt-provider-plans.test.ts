import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import type { Protocol } from '../../src/model/catalog.js';
import type { IntentionEntry } from '../../src/model/intention.js';
import type { ExistingJwtProvider } from '../../src/model/jwt-provider.js';
import { providerKey } from '../../src/model/key.js';
import type { Trigger } from '../../src/model/trigger.js';
import { observeJwtProviders, planned, plannedFor } from '../../src/reconcile/jwt-provider-plans.js';
import { reconcileJwtProvider } from '../../src/reconcile/jwt-providers.js';
import { planFleet } from '../../src/state/fleet.js';
import { WorldState } from '../../src/state/world-state.js';
import { loginProvider, settings } from '../acl/plan/acl-scene.js';
import {
  ALLOW,
  claiming,
  client,
  entry,
  mapping,
  NOW,
  named,
  ourSource,
  rule,
  SETTINGS,
  source,
} from '../plan/scene.js';
import { ENTRY, existing, facts, KEYS, NAME } from '../plan/user-token-scene.js';
import { runsOf } from '../support/soak.js';
import { turnsDuring } from '../support/turns-during.js';
import { depsOf } from './deps.js';

const never = new AbortController().signal;
const SIZE = 500;
const CAUSE = { kind: 'webhook', receivedAt: new Date(NOW).toISOString() } as const;
const WITH_USER = {
  kind: 'http',
  permissions: [{ pathPrefix: '/', jwt: { provider: NAME, verifyClaims: [] } }],
} as const;

/** One destination, and the client that may call it. */
interface Spot {
  readonly opens: 'with user' | 'freely' | 'nothing';
  readonly intention: 'with user' | 'freely' | 'foreign with user' | undefined;
  readonly protocol: Protocol;
}

const USED: Spot = { opens: 'with user', intention: 'with user', protocol: 'http' };
const FREE: Spot = { opens: 'freely', intention: 'freely', protocol: 'http' };

/** So many destinations that require a user's token, as `changes` says, of `SIZE`. */
function fleetOf(users: number, changes: Partial<Spot> = {}, entries = [existing()]) {
  const spots = Array.from({ length: SIZE }, (_, at) => (at < users ? { ...USED, ...changes } : FREE));
  return rigOf(worldOf(spots, entries), entries);
}

function worldOf(spots: readonly Spot[], entries: readonly ExistingJwtProvider[]): WorldState {
  const rules = [
    rule('{service}:use', '{service}', { userRequired: true }),
    rule('{service}:read', '{service}'),
  ];
  const providers = new Map([['main', loginProvider()]]);
  const world = new WorldState(mapping({ rules, acl: settings({ providers }) }), SETTINGS);
  const clients = spots.map(({ opens }, at) => {
    const scopes = { 'with user': [`d${at}:use`], freely: [`d${at}:read`], nothing: [] };
    return client(`c${at}`, scopes[opens], { attributes: { 'consul-services': `s${at}` } });
  });
  world.putDirectory('main', clients, world.beginRead(), NOW);
  const intentions = spots.flatMap(({ intention }, at): readonly IntentionEntry[] => {
    if (intention === undefined) return [];
    if (intention === 'foreign with user') return [entry(`d${at}`, source('other', WITH_USER))];
    return [entry(`d${at}`, ourSource(`s${at}`, intention === 'freely' ? ALLOW : WITH_USER, `c${at}`))];
  });
  world.putEntries(intentions, NOW);
  const services = spots.map((_, at) => claiming(`s${at}`, `c${at}`));
  const protocols = new Map(spots.map(({ protocol }, at) => [`d${at}`, protocol]));
  world.putCatalog({ services, protocols, defaultProtocol: 'http' }, NOW);
  const known = facts(...entries);
  world.userTokens.putVersion('1.16.1', known.laxAgents, world.beginRead());
  world.userTokens.putJwksUri('main', KEYS, world.beginRead());
  world.userTokens.putBehindGateways(known.behindGateways, world.beginRead());
  world.userTokens.putEntries(entries, world.beginRead());
  world.userTokens.drainChanged();
  return world;
}

function rigOf(world: WorldState, entries: readonly ExistingJwtProvider[]) {
  const { deps } = depsOf(world, {});
  const reads: string[] = [];
  const writes: string[] = [];
  const inConsul = { entries };
  let list = (): readonly IntentionEntry[] => [...world.everyEntry()];
  const consul = {
    ...deps.consul,
    inspect: async () => {
      reads.push('version');
      return { version: '1.16.1', datacenter: 'dc1', defaultPolicy: 'deny' as const, aclsEnabled: true };
    },
    jwtProviders: {
      list: async () => inConsul.entries,
      agentVersions: async () => ['1.16.1'],
      write: async () => {
        writes.push('written');
        return { kind: 'written' as const };
      },
      delete: async () => {
        writes.push('deleted');
        return { kind: 'written' as const };
      },
    },
    intentions: { ...deps.consul.intentions, list: async () => list() },
    reachability: { ...deps.consul.reachability, readGateways: async () => [] },
  };
  const plans = vi.spyOn(world.breakGlass, 'of');
  const whole = { ...deps, consul, jwksUris: new Map([['main', async () => KEYS]]) };
  const run = (trigger: Partial<Trigger> = {}) => {
    const key = providerKey('main');
    const job = { key, triggers: [{ key, cause: CAUSE, ...trigger }], attempts: 0 };
    return reconcileJwtProvider('main', job, whole, never);
  };
  return {
    world,
    deps: whole,
    reads,
    writes,
    inConsul,
    run,
    plans: () => plans.mock.calls.length,
    duringList: (change: typeof list) => {
      list = change;
    },
  };
}

describe('the job of a jwt-provider', () => {
  it('plans no destination while an intention names the entry and the entry is as it should be', async () => {
    const it = fleetOf(100);
    await it.run();
    expect([it.plans(), it.writes]).toEqual([0, []]);
  });

  it('plans no destination where none requires a token, and removes the entry', async () => {
    const it = fleetOf(0);
    await it.run();
    expect([it.plans(), it.writes]).toEqual([0, ['deleted']]);
  });

  it('plans only until a destination awaits the entry', async () => {
    const it = fleetOf(100, { intention: undefined }, []);
    await it.run();
    expect([it.plans(), it.writes]).toEqual([1, ['written']]);
  });

  it('keeps an entry that a plan is about to name', async () => {
    const it = fleetOf(100, { intention: undefined });
    await it.run();
    expect([it.plans(), it.writes]).toEqual([1, []]);
  });

  it('keeps an entry that an intention names which the watch has not shown yet', async () => {
    const it = fleetOf(0);
    it.duringList(() => [entry('late', source('other', WITH_USER))]);
    await it.run();
    expect(it.writes).toEqual([]);
  });

  it('keeps an entry that a client needs since the intentions were listed', async () => {
    const it = fleetOf(0);
    it.duringList(() => {
      it.world.putClient(
        { provider: 'main', clientId: 'c7' },
        client('c7', ['d7:use'], { attributes: { 'consul-services': 's7' } }),
        it.world.beginRead(),
      );
      return [...it.world.everyEntry()];
    });
    await it.run();
    expect(it.writes).toEqual([]);
  });

  it('keeps an entry that an intention names since its deletion was recorded, and comes again', async () => {
    const it = fleetOf(0);
    const record = it.deps.journal.record.bind(it.deps.journal);
    it.deps.journal.record = async (...args) => {
      await record(...args);
      it.world.putEntry(named('d7'), { ...entry('d7', source('other', WITH_USER)), modifyIndex: 99 });
    };
    await it.run();
    expect(it.writes).toEqual([]);
  });

  it('lets others work while it plans many destinations that cannot open', async () => {
    const it = fleetOf(SIZE, { intention: undefined, protocol: 'tcp' });
    expect(await turnsDuring(() => plannedFor('main', it.deps, never))).toBeGreaterThanOrEqual(10);
    expect(it.plans()).toBe(SIZE);
  });

  it('reads and plans nothing for an ended session, a read of members or a read of the directory', async () => {
    const it = fleetOf(100, { intention: undefined }, []);
    const at = CAUSE.receivedAt;
    await it.run({ order: { kind: 'session-revoked', provider: 'main', subject: 'ann', at, cause: CAUSE } });
    await it.run({ members: true });
    await it.run({ fullRead: true });
    expect([it.plans(), it.reads, it.writes]).toEqual([0, [], []]);
  });

  it('finds the same change as the plans of the whole fleet, also during a freeze', async () => {
    const someSpot: fc.Arbitrary<Spot> = fc.record({
      opens: fc.constantFrom('with user', 'with user', 'freely', 'nothing'),
      intention: fc.constantFrom('with user', 'freely', 'foreign with user', undefined, undefined),
      protocol: fc.constantFrom('http', 'http', 'tcp'),
    });
    const other = { ...ENTRY, audiences: [] };
    const someEntries = fc.constantFrom(
      [],
      [existing()],
      [existing({ content: other })],
      [existing({ meta: {}, content: 'other' })],
    );
    const found = new Set<string>();
    await fc.assert(
      fc.asyncProperty(
        fc.array(someSpot, { maxLength: 4 }),
        someEntries,
        fc.boolean(),
        async (spots, entries, isFrozen) => {
          const { world, deps } = rigOf(worldOf(spots, entries), entries);
          if (isFrozen) world.freezes.set([{ kind: 'started', since: NOW }]);
          const plans = planFleet(world, deps.window, NOW);
          const changes = await plannedFor('main', deps, never);
          expect(changes).toEqual(planned(plans, deps));
          found.add(changes.map(({ verb }) => verb).join());
        },
      ),
      {
        ...runsOf(1_000, 200),
        examples: [
          [[], [], false],
          [[{ opens: 'with user', intention: undefined, protocol: 'http' }], [], false],
          [
            [{ opens: 'with user', intention: undefined, protocol: 'http' }],
            [existing({ content: other })],
            false,
          ],
          [[{ opens: 'nothing', intention: undefined, protocol: 'http' }], [existing()], false],
          // The freeze holds the intention that will name the entry.
          [[{ opens: 'with user', intention: undefined, protocol: 'http' }], [existing()], true],
        ],
      },
    );
    expect(found).toEqual(new Set(['', 'created', 'updated', 'deleted']));
  });
});

describe('the watch of jwt-providers', () => {
  it('plans nothing for an entry of somebody else', async () => {
    const it = fleetOf(100);
    it.inConsul.entries = [existing(), existing({ name: 'theirs', meta: {} })];
    expect([await observeJwtProviders(it.deps, CAUSE, never), it.plans()]).toEqual([[], 0]);
  });

  it('plans nothing for an entry that differs only in its index, as after an own write', async () => {
    const it = fleetOf(100);
    it.inConsul.entries = [existing({ modifyIndex: 9 })];
    expect([await observeJwtProviders(it.deps, CAUSE, never), it.plans()]).toEqual([[], 0]);
  });

  it('plans the destinations that require a token after a change of the entry, in turns', async () => {
    const it = fleetOf(300);
    it.inConsul.entries = [existing({ content: { ...ENTRY, audiences: [] } })];
    let triggers: readonly Trigger[] = [];
    const turns = await turnsDuring(async () => {
      triggers = await observeJwtProviders(it.deps, CAUSE, never);
    });
    // One more shows that a destination awaits the entry.
    expect(it.plans()).toBe(301);
    expect(turns).toBeGreaterThanOrEqual(6);
    expect(triggers.map(({ key }) => key.kind)).toEqual(['provider', ...Array(300).fill('destination')]);
  });

  it('plans nothing for an entry without a destination, and asks for its removal', async () => {
    const it = fleetOf(0, {}, []);
    it.inConsul.entries = [existing()];
    expect(await observeJwtProviders(it.deps, CAUSE, never)).toMatchObject([{ key: providerKey('main') }]);
    expect(it.plans()).toBe(0);
  });
});

it('is named by an entry until the last one changes', () => {
  const { world } = fleetOf(2);
  const isNamed = () => world.jwtProviderUse.isNamed(NAME.toUpperCase());
  expect(isNamed()).toBe(true);
  world.putEntry(named('d0'), undefined);
  expect(isNamed()).toBe(true);
  world.putEntry(named('d1'), { ...entry('d1', ourSource('s1', ALLOW, 'c1')), modifyIndex: 9 });
  expect(isNamed()).toBe(false);
});

it('is named also where somebody added it to an entry that was just written', () => {
  const { world } = fleetOf(0);
  const isNamed = () => world.jwtProviderUse.isNamed(NAME);
  const written = { ...entry('d0', ourSource('s0', ALLOW, 'c0')), modifyIndex: 0 };
  world.putEntry(named('d0'), written);
  const raw = { ...written.raw, JWT: { Providers: [{ Name: NAME }] } };
  world.putEntries([{ ...written, raw, modifyIndex: 9 }], NOW);
  expect(isNamed()).toBe(true);
  world.putEntries([], NOW);
  expect(isNamed()).toBe(false);
});
