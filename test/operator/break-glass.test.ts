import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { BreakGlass } from '../../src/model/break-glass.js';
import type { OAuthClient } from '../../src/model/client.js';
import type { Trigger } from '../../src/model/trigger.js';
import { noMetrics, silentLogger } from '../../src/observe.js';
import {
  approveBreakGlass,
  type BreakGlassDeps,
  requestBreakGlass,
  restoreBreakGlass,
} from '../../src/operator/break-glass.js';
import { refuseOpenBreakGlass } from '../../src/operator/eject.js';
import { BreakGlassFollower } from '../../src/operator/follow-break-glass.js';
import { parseStoredText, toStoredText } from '../../src/operator/stored-break-glass.js';
import { breakGlassState } from '../../src/plan/break-glass.js';
import { planDestination } from '../../src/plan/plan-destination.js';
import { createEmbeddedStore, type EmbeddedStore } from '../../src/queue/embedded/store.js';
import { createJournalMemory } from '../../src/queue/journal-memory.js';
import { inputOf } from '../../src/state/fleet.js';
import type { WorldState } from '../../src/state/world-state.js';
import {
  ALLOW,
  claiming,
  client,
  entry,
  mapping,
  NOW,
  ourSource,
  planOf,
  rule,
  scene,
} from '../plan/scene.js';
import { depsOf, worldWithTwo } from '../reconcile/deps.js';

const HOUR = 3_600_000;
const ID = '01JDXK4T0QJ5W3M8V7Z2R6N9PB';
const SIGNAL = new AbortController().signal;
const ADA = { id: 'os:ada' };
const API = { provider: 'main', clientId: 'api' };
const REQUEST = { source: 'api', destination: 'billing', reason: 'INC-1', forMs: 2 * HOUR };

let directory: string;
let store: EmbeddedStore;
let now: number;
const kv = new Map<string, string>();
const queued: Trigger[] = [];
beforeEach(() => {
  now = NOW;
  kv.clear();
  queued.length = 0;
  directory = mkdtempSync(join(tmpdir(), 'scopemesh-break-glass-'));
  store = createEmbeddedStore({ directory, logger: silentLogger, metrics: noMetrics, clock });
});
afterEach(async () => {
  await store.close();
  rmSync(directory, { recursive: true, force: true });
});
const clock = { now: () => now, sleep: async () => {} };

/** A process on the store and the KV. */
function start(): BreakGlassDeps {
  const world = worldWithTwo();
  // A rule names the service, which has no instance.
  const rules = [rule('billing', 'billing')];
  world.setMapping(mapping({ rules, breakGlass: { longestMs: 4 * HOUR, never: [] } }));
  const { deps } = depsOf(world, {});
  let ids = 0;
  return {
    ...deps,
    clock,
    journal: createJournalMemory(store.journal),
    newId: () => `01JDXK4T0QJ5W3M8V7Z2R6N${String(++ids).padStart(3, '0')}`,
    queue: { add: async (triggers) => void queued.push(...triggers) },
    consul: {
      ...deps.consul,
      breakGlass: {
        list: async () => new Map(kv),
        write: async (writes) =>
          writes.map(({ id, text }) => {
            if (text === undefined) kv.delete(id);
            else kv.set(id, text);
            return { kind: 'written' as const };
          }),
      },
    },
  };
}
async function follow(follower: BreakGlassFollower): Promise<number> {
  const ms = await follower.follow();
  await follower.record(SIGNAL);
  return ms;
}
const stateOf = ({ world }: BreakGlassDeps) =>
  world.breakGlass.all.map((each) => breakGlassState(each, world.mapping, world.breakGlass.timeAt(now)));
const putApi = (world: WorldState, clients: readonly OAuthClient[]) =>
  world.putDirectory('main', clients, world.beginRead(), NOW);
const ask = (deps: BreakGlassDeps) =>
  requestBreakGlass({ ...REQUEST, partition: 'default', namespace: 'default' }, ADA, deps);

it.each([
  ['is off by default', { breakGlass: undefined }, /set guards.breakGlass/],
  ['is not for a mode that closes nothing', { mode: 'extend' }, /need mode: enforce/],
  ['is not for a mode that writes nothing', { mode: 'observe' }, /need mode: enforce/],
  ['is limited in its time', { breakGlass: { longestMs: HOUR, never: [] } }, /longest is 60 minutes/],
  [
    'is limited to other services',
    { breakGlass: { longestMs: 4 * HOUR, never: ['api'] } },
    /never lists api/,
  ],
] as const)('%s', async (_, settings, why) => {
  const deps = start();
  const limits = { longestMs: 4 * HOUR, never: [] };
  deps.world.setMapping(mapping({ breakGlass: limits, ...(settings as object) }));
  expect(await ask(deps)).toMatchObject({ kind: 'refused', why: expect.stringMatching(why) });
  expect((await store.journal.outbox(1)).length).toBe(0);
});

it('writes a grant to Consul, closes it at its time, and then forgets it in both places', async () => {
  const deps = start();
  const follower = new BreakGlassFollower(deps);
  expect(await ask(deps)).toMatchObject({ kind: 'done' });
  expect(await follow(follower)).toBe(2 * HOUR);
  expect([...kv.values()].map(parseStoredText)).toEqual(deps.world.breakGlass.all);
  now += 2 * HOUR - 1;
  expect([await follow(follower), stateOf(deps)]).toEqual([1, ['open']]);
  now += 1;
  await follow(follower);
  expect(queued.at(-1)).toMatchObject({ key: { kind: 'destination', service: 'billing' }, urgent: true });
  expect(stateOf(deps)).toEqual(['ended']);
  now += 60_000;
  await follow(follower);
  expect([kv.size, deps.world.breakGlass.all]).toEqual([0, []]);
  const reasons = (await store.journal.outbox(10)).map(({ reason }) => reason);
  expect(reasons).toEqual(['BreakGlass', 'BreakGlassEnded']);
});

it('lets a clock that is set back prolong no grant, in one process and in the next', async () => {
  const deps = start();
  const follower = new BreakGlassFollower(deps);
  await ask(deps);
  now += HOUR;
  await follow(follower);
  now -= 10 * HOUR;
  expect(await follow(follower)).toBe(HOUR);
  now += HOUR;
  await follow(follower);
  expect(stateOf(deps)).toEqual(['ended']);

  // Two leaders may differ a little, and no more: it is unknown how long the grant was open.
  await ask(deps);
  const { openedAt = 0 } = deps.world.breakGlass.all.at(-1) ?? {};
  const restarted = async (at: number) => {
    now = at;
    const next = start();
    await restoreBreakGlass(next);
    return { ms: await follow(new BreakGlassFollower(next)), states: stateOf(next) };
  };
  expect(await restarted(openedAt - 30_000)).toEqual({ ms: 2 * HOUR, states: ['ended', 'open'] });
  expect(await restarted(openedAt - 61_000)).toEqual({
    ms: Number.POSITIVE_INFINITY,
    states: ['ended', 'ended'],
  });
});

it('counts the time that passed before a restart, although the clock was set back over it', async () => {
  const deps = start();
  const follower = new BreakGlassFollower(deps);
  await ask(deps);
  now += HOUR;
  await follow(follower);
  now -= HOUR / 2;
  const next = start();
  await restoreBreakGlass(next);
  const later = new BreakGlassFollower(next);
  expect(await follow(later)).toBe(HOUR);
  now += HOUR;
  await follow(later);
  expect(stateOf(next)).toEqual(['ended']);
});

it('knows the next end exactly while the store refuses the time that passed, and logs that once', async () => {
  const warnings: string[] = [];
  const deps = start();
  const logger = { ...silentLogger, warn: (_: object, text: string) => void warnings.push(text) };
  await ask(deps);
  const journal = createJournalMemory(store.journal);
  vi.spyOn(journal, 'settle').mockRejectedValue(new Error('the store is away'));
  const follower = new BreakGlassFollower({ ...deps, journal, logger });
  now += HOUR;
  expect(await follower.follow()).toBe(HOUR);
  now += 1_000;
  expect(await follower.follow()).toBe(HOUR - 1_000);
  expect(warnings).toEqual([expect.stringContaining('could not be recorded')]);
});

it.each([
  ['is quarantined', (world: WorldState) => world.setClientBlock(API, 'ClientQuarantined')],
  ['is disabled', (world: WorldState) => putApi(world, [client('api', [], { enabled: false })])],
  ['is deleted', (world: WorldState) => putApi(world, [])],
])('ends for good when the client of its source %s, whatever the source claims then', async (_, stop) => {
  const deps = start();
  const { world } = deps;
  await ask(deps);
  world.putCatalog({ services: [claiming('api', '')], protocols: new Map(), defaultProtocol: 'http' }, NOW);
  stop(world);
  const input = inputOf(world, { partition: 'default', namespace: 'default', name: 'billing' }, now);
  expect(planDestination(input).changes).toEqual([]);
  await follow(new BreakGlassFollower(deps));
  expect(stateOf(deps)).toEqual(['ended']);
  world.setClientBlock(API, undefined);
  putApi(world, [client('api', [])]);
  await follow(new BreakGlassFollower(deps));
  expect(stateOf(deps)).toEqual(['ended']);
});

it('is refused to a source that a quarantined client names, whatever the source claims', async () => {
  const deps = start();
  deps.world.setClientBlock(API, 'ClientQuarantined');
  deps.world.putCatalog(
    { services: [claiming('api', '')], protocols: new Map(), defaultProtocol: 'http' },
    NOW,
  );
  expect(await ask(deps)).toMatchObject({ kind: 'refused', why: expect.stringContaining('main/api') });
});

it('is kept, with a warning, while its edge is still open', async () => {
  const deps = start();
  await ask(deps);
  const warn = vi.fn();
  const follower = new BreakGlassFollower({ ...deps, logger: { ...deps.logger, warn } });
  const [{ id = '' } = {}] = deps.world.breakGlass.all;
  const isManaged = {
    ...entry('billing', ourSource('api', ALLOW)),
    meta: { 'external-source': 'kubernetes' },
  };
  deps.world.putEntries([isManaged], NOW);
  now += 2 * HOUR;
  await follow(follower);
  now += HOUR;
  for (let round = 0; round < 2; round++) await follow(follower);
  expect(deps.world.breakGlass.all).toMatchObject([{ id }]);
  expect([...kv.keys()]).toEqual([id]);
  expect(warn.mock.calls.filter(([, text]) => String(text).includes('still open'))).toHaveLength(1);
  deps.world.putEntries([], NOW);
  await follow(follower);
  expect([deps.world.breakGlass.all, kv.size]).toEqual([[], 0]);
});

it('takes no record from Consul beside its own, or later', async () => {
  const deps = start();
  const follower = new BreakGlassFollower(deps);
  await ask(deps);
  const [mine] = deps.world.breakGlass.all;
  if (mine === undefined) throw new Error('there is no grant');
  const invent = (digit: string) =>
    kv.set(ID.replace('0', digit), toStoredText({ ...mine, id: ID.replace('0', digit) }));
  invent('1');
  await follow(follower);
  invent('2');
  now += 61_000;
  await follow(follower);
  expect(deps.world.breakGlass.all).toEqual([mine]);
});

it('adopts from Consul what a lost store had, and nothing that another writer invented', async () => {
  const grant: BreakGlass = {
    ...{ id: ID, source: 'api', destination: 'billing', partition: 'default', namespace: 'default' },
    ...{ reason: 'INC-1', forMs: 2 * HOUR, duringFreeze: false, askedAt: NOW, askedBy: ADA, openedAt: NOW },
  };
  const future = { ...grant, id: ID.replace('0', '1'), openedAt: NOW + 900 * HOUR, forMs: 300 * HOUR };
  kv.set(ID, toStoredText(grant));
  kv.set(future.id, toStoredText(future));
  kv.set(ID.replace('0', '2'), toStoredText(grant));
  kv.set(ID.replace('0', '3'), '{"id":1}');
  kv.set(ID.replace('0', '4'), 'no JSON');
  const deps = start();
  const warn = vi.fn();
  await follow(new BreakGlassFollower({ ...deps, logger: { ...deps.logger, warn } }));
  expect(deps.world.breakGlass.all).toMatchObject([
    { id: ID, isAdopted: true },
    { id: future.id, isAdopted: true, openedAt: NOW },
  ]);
  expect(warn.mock.calls.filter(([, text]) => String(text).includes('is ignored'))).toHaveLength(3);
  // Neither opens anything, and the configuration bounds both.
  const mine = { mapping: deps.world.mapping, breakGlass: deps.world.breakGlass.all };
  expect(planOf(scene(mine), 'billing').changes).toEqual([]);
  now += 4 * HOUR;
  expect(stateOf(deps)).toEqual(['ended', 'ended']);
});

it('keeps eject away while its edge is open', async () => {
  const deps = start();
  expect(() => refuseOpenBreakGlass(deps)).not.toThrow();
  await ask(deps);
  const [{ id = '' } = {}] = deps.world.breakGlass.all;
  expect(() => refuseOpenBreakGlass(deps)).toThrow(id);
  deps.world.putEntries([entry('billing', ourSource('api', ALLOW))], NOW);
  now += 3 * HOUR;
  await follow(new BreakGlassFollower(deps));
  expect(() => refuseOpenBreakGlass(deps)).toThrow(id);
  deps.world.putEntries([], NOW);
  expect(() => refuseOpenBreakGlass(deps)).not.toThrow();
});

it.each([
  [
    'its source was quarantined',
    (world: WorldState) => world.setClientBlock(API, 'ClientQuarantined'),
    /ClientQuarantined/,
  ],
  [
    'its client was disabled',
    (world: WorldState) => putApi(world, [client('api', [], { enabled: false })]),
    /disabled/,
  ],
  [
    'its source claims a client in quarantine now',
    (world: WorldState) => {
      putApi(world, [client('api', []), client('web', ['orders'])]);
      const services = [claiming('api', 'web'), claiming('web', 'web')];
      world.putCatalog({ services, protocols: new Map(), defaultProtocol: 'http' }, NOW);
      world.setClientBlock({ provider: 'main', clientId: 'web' }, 'ClientQuarantined');
    },
    /ClientQuarantined/,
  ],
  [
    'its source claims nothing any more, and its former client is in quarantine',
    (world: WorldState) => {
      world.putCatalog(
        { services: [claiming('api', '')], protocols: new Map(), defaultProtocol: 'http' },
        NOW,
      );
      world.setClientBlock(API, 'ClientQuarantined');
    },
    /ClientQuarantined/,
  ],
  [
    'its destination is protected now',
    (world: WorldState) => world.setMapping({ ...world.mapping, protectedServices: ['billing'] }),
    /guards.protected/,
  ],
  [
    'a person denies its edge now',
    (world: WorldState) => {
      const about = { source: 'api', destination: 'billing', partition: 'default', namespace: 'default' };
      world.denies.set([{ about, reason: 'INC-2', by: ADA, since: NOW, until: NOW + HOUR }]);
    },
    /PersonDenied/,
  ],
] as const)('is checked again when the second person approves it: %s', async (_, change, why) => {
  const deps = start();
  deps.world.setMapping({ ...deps.world.mapping, approvers: 2 });
  const asked = await ask(deps);
  if (asked.kind !== 'done') throw new Error('the request was refused');
  change(deps.world);
  const approved = await approveBreakGlass(asked.glass.id, { id: 'token:bob' }, deps);
  expect(approved).toMatchObject({ kind: 'refused', why: expect.stringMatching(why) });
  expect(stateOf(deps)).toEqual(['asked']);
});
