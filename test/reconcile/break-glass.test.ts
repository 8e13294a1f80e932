import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { BreakGlass } from '../../src/model/break-glass.js';
import type { Trigger } from '../../src/model/trigger.js';
import { noMetrics, silentLogger } from '../../src/observe.js';
import { breakGlassState } from '../../src/plan/break-glass.js';
import { createEmbeddedStore, type EmbeddedStore } from '../../src/queue/embedded/store.js';
import { JournalMemory } from '../../src/queue/journal-memory.js';
import { askBreakGlass, type BreakGlassDeps, restoreBreakGlass } from '../../src/reconcile/break-glass.js';
import { BreakGlassFollower } from '../../src/reconcile/follow-break-glass.js';
import { parseStoredText, toStoredText } from '../../src/reconcile/stored-break-glass.js';
import { mapping, NOW, planOf, scene } from '../plan/scene.js';
import { depsOf, worldWithTwo } from './deps.js';

const HOUR = 3_600_000;
const ID = '01JDXK4T0QJ5W3M8V7Z2R6N9PB';
const SIGNAL = new AbortController().signal;
const ADA = { id: 'os:ada' };
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
  world.setMapping(mapping({ breakGlass: { longestMs: 4 * HOUR, never: [] } }));
  const { deps } = depsOf(world, {});
  let ids = 0;
  return {
    ...deps,
    clock,
    journal: new JournalMemory(store.journal),
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
const stateOf = ({ world }: BreakGlassDeps) =>
  world.breakGlass.all.map((each) => breakGlassState(each, world.mapping, world.breakGlass.timeAt(now)));
const ask = (deps: BreakGlassDeps) =>
  askBreakGlass({ ...REQUEST, partition: 'default', namespace: 'default' }, ADA, deps);

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
  expect(await follower.follow(SIGNAL)).toBe(2 * HOUR);
  expect([...kv.values()].map(parseStoredText)).toEqual(deps.world.breakGlass.all);
  now += 2 * HOUR;
  await follower.follow(SIGNAL);
  expect(queued.at(-1)).toMatchObject({ key: { kind: 'destination', service: 'billing' }, urgent: true });
  expect(stateOf(deps)).toEqual(['ended']);
  now += 60_000;
  await follower.follow(SIGNAL);
  expect([kv.size, deps.world.breakGlass.all]).toEqual([0, []]);
  const reasons = (await store.journal.outbox(10)).map(({ reason }) => reason);
  expect(reasons).toEqual(['BreakGlass', 'BreakGlassEnded']);
});

it('lets a clock that is set back prolong no grant, in one process and in the next', async () => {
  const deps = start();
  const follower = new BreakGlassFollower(deps);
  await ask(deps);
  now += HOUR;
  await follower.follow(SIGNAL);
  now -= 10 * HOUR;
  expect(await follower.follow(SIGNAL)).toBe(HOUR);
  now += HOUR;
  await follower.follow(SIGNAL);
  expect(stateOf(deps)).toEqual(['ended']);

  await ask(deps);
  now -= 100 * HOUR;
  const next = start();
  await restoreBreakGlass(next);
  const leftMs = await new BreakGlassFollower(next).follow(SIGNAL);
  expect([stateOf(next), leftMs <= 2 * HOUR]).toEqual([['ended', 'open'], true]);
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
  await new BreakGlassFollower({ ...deps, logger: { ...deps.logger, warn } }).follow(SIGNAL);
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
