import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { OAuthClient } from '../../src/model/client.js';
import type { Trigger } from '../../src/model/trigger.js';
import { noMetrics, silentLogger } from '../../src/observe.js';
import { approveBreakGlass, GRANTS, requestBreakGlass } from '../../src/operator/break-glass.js';
import { refuseOpenBreakGlass } from '../../src/operator/eject.js';
import { followBreakGlass } from '../../src/operator/follow-break-glass.js';
import { type RulingDeps, restoreRulings } from '../../src/operator/ruling-store.js';
import { breakGlassState } from '../../src/plan/break-glass.js';
import { planDestination } from '../../src/plan/plan-destination.js';
import { createEmbeddedStore, type EmbeddedStore } from '../../src/queue/embedded/store.js';
import { createJournalMemory } from '../../src/queue/journal-memory.js';
import { inputOf } from '../../src/state/fleet.js';
import type { WorldState } from '../../src/state/world-state.js';
import { ALLOW, claiming, client, entry, mapping, NOW, ourSource, rule } from '../plan/scene.js';
import { depsOf, worldWithTwo } from '../reconcile/deps.js';
import { newDirectory } from '../support/use-directory.js';

const HOUR = 3_600_000;
const ADA = { id: 'os:ada' };
const API = { provider: 'main', clientId: 'api' };
const NO_MARKS = { intentions: [] };
const REQUEST = { source: 'api', destination: 'billing', reason: 'INC-1', forMs: 2 * HOUR };

let directory: string;
let store: EmbeddedStore;
let now: number;
const queued: Trigger[] = [];
beforeEach(() => {
  now = NOW;
  queued.length = 0;
  directory = newDirectory();
  store = createEmbeddedStore({ directory, logger: silentLogger, metrics: noMetrics, clock });
});
afterEach(() => store.close());
const clock = { now: () => now, sleep: async () => {} };

/** A process on the store. */
function start(): RulingDeps {
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
  };
}
/** One process that follows its grants. */
function followerOf(deps: RulingDeps): () => Promise<number> {
  let since = Number.NEGATIVE_INFINITY;
  return async () => {
    const followed = await followBreakGlass(since, deps);
    since = followed.now;
    return followed.nextMs;
  };
}
const stateOf = ({ world }: RulingDeps) =>
  world.breakGlass.all.map((each) => breakGlassState(each, world.mapping, world.breakGlass.timeAt(now)));
const putApi = (world: WorldState, clients: readonly OAuthClient[]) =>
  world.putDirectory('main', clients, world.beginRead(), NOW);
const ask = (deps: RulingDeps) =>
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

it('closes a grant at its time, and then forgets it', async () => {
  const deps = start();
  const follow = followerOf(deps);
  expect(await ask(deps)).toMatchObject({ kind: 'done' });
  expect(await follow()).toBe(2 * HOUR);
  now += 2 * HOUR - 1;
  expect([await follow(), stateOf(deps)]).toEqual([1, ['open']]);
  now += 1;
  await follow();
  expect(queued.at(-1)).toMatchObject({ key: { kind: 'destination', service: 'billing' }, urgent: true });
  expect(stateOf(deps)).toEqual(['ended']);
  now += 60_000;
  await follow();
  expect(deps.world.breakGlass.all).toEqual([]);
  const reasons = (await store.journal.outbox(10)).map(({ reason }) => reason);
  expect(reasons).toEqual(['BreakGlass', 'BreakGlassEnded']);
});

it('is refused where it opens nothing itself, whatever else the plan opens or holds at its destination', async () => {
  const deps = start();
  putApi(deps.world, [client('api', ['billing']), client('web', ['billing'])]);
  deps.world.putEntries([entry('billing', ourSource('api', ALLOW))], NOW);
  const why = 'nothing to open: Consul allows this already';
  expect(await ask(deps)).toEqual({ kind: 'refused', why });
  const [ours, foreign] = [ourSource('api', ALLOW), { ...ourSource('web', ALLOW), description: 'x' }];
  deps.world.putEntries([{ ...entry('billing', ours, foreign), modifyIndex: 8 }], NOW);
  expect(await ask(deps)).toEqual({ kind: 'refused', why });
});

it('plans the end that only a mark in Consul has, once', async () => {
  const deps = start();
  const end = new Date(NOW + HOUR).toISOString();
  const later = new Date(NOW + 5 * HOUR).toISOString();
  const marked = { ...ourSource('api', ALLOW), description: `scopemesh:pay until=${end}` };
  deps.world.putEntries(
    [entry('billing', marked, { ...marked, name: 'other', description: `scopemesh:pay until=${later}` })],
    NOW,
  );
  const follow = followerOf(deps);
  await follow();
  now = NOW + HOUR - 1;
  await follow();
  expect(queued).toEqual([]);
  now += 1;
  await follow();
  await follow();
  expect(queued).toMatchObject([{ key: { kind: 'destination', service: 'billing' }, urgent: true }]);
  // A leader that starts later plans it too.
  await followerOf(deps)();
  expect(queued).toHaveLength(2);
  deps.world.putEntries([], NOW);
  await followerOf(deps)();
  expect(queued).toHaveLength(2);
});

it('lets a clock that is set back prolong no grant, in one process and in the next', async () => {
  const deps = start();
  const follow = followerOf(deps);
  await ask(deps);
  now += HOUR;
  await follow();
  now -= 10 * HOUR;
  expect(await follow()).toBe(HOUR);
  now += HOUR;
  await follow();
  expect(stateOf(deps)).toEqual(['ended']);

  // Two leaders may differ a little, and no more: it is unknown how long the grant was open.
  await ask(deps);
  const { openedAt = 0 } = deps.world.breakGlass.all.at(-1) ?? {};
  const restarted = async (at: number) => {
    now = at;
    const next = start();
    await restoreRulings(GRANTS, next);
    return { ms: await followerOf(next)(), states: stateOf(next) };
  };
  expect(await restarted(openedAt - 30_000)).toEqual({ ms: 2 * HOUR + 30_000, states: ['ended', 'open'] });
  expect(await restarted(openedAt - 61_000)).toEqual({
    ms: Number.POSITIVE_INFINITY,
    states: ['ended', 'ended'],
  });
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
  await followerOf(deps)();
  expect(stateOf(deps)).toEqual(['ended']);
  world.setClientBlock(API, undefined);
  putApi(world, [client('api', [])]);
  await followerOf(deps)();
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
  const follow = followerOf({ ...deps, logger: { ...deps.logger, warn } });
  const [{ id = '' } = {}] = deps.world.breakGlass.all;
  const isManaged = {
    ...entry('billing', ourSource('api', ALLOW)),
    meta: { 'external-source': 'kubernetes' },
  };
  deps.world.putEntries([isManaged], NOW);
  now += 2 * HOUR;
  await follow();
  now += HOUR;
  for (let round = 0; round < 2; round++) await follow();
  expect(deps.world.breakGlass.all).toMatchObject([{ id }]);
  expect(warn.mock.calls.filter(([, text]) => String(text).includes('still open'))).toHaveLength(1);
  deps.world.putEntries([], NOW);
  await follow();
  expect(deps.world.breakGlass.all).toEqual([]);
});

it('keeps eject away while its edge is open', async () => {
  const deps = start();
  expect(() => refuseOpenBreakGlass(NO_MARKS, deps)).not.toThrow();
  await ask(deps);
  const [{ id = '' } = {}] = deps.world.breakGlass.all;
  expect(() => refuseOpenBreakGlass(NO_MARKS, deps)).toThrow(id);
  deps.world.putEntries([entry('billing', ourSource('api', ALLOW))], NOW);
  now += 3 * HOUR;
  await followerOf(deps)();
  expect(() => refuseOpenBreakGlass(NO_MARKS, deps)).toThrow(id);
  deps.world.putEntries([], NOW);
  expect(() => refuseOpenBreakGlass(NO_MARKS, deps)).not.toThrow();
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
  const approved = await approveBreakGlass(asked.ruling.id, { id: 'token:bob' }, deps);
  expect(approved).toMatchObject({ kind: 'refused', why: expect.stringMatching(why) });
  expect(stateOf(deps)).toEqual(['asked']);
});
