import { beforeEach, describe, expect, it } from 'vitest';
import { toLastAppliedText } from '../../src/plan/last-applied.js';
import { intentionSubject } from '../../src/plan/plan.js';
import { recordOpeningBalance } from '../../src/reconcile/opening-balance.js';
import type { WorldState } from '../../src/state/world-state.js';
import { KEY } from '../apply/apply-rig.js';
import { ALLOW, entry, NOW, named, ourSource } from '../plan/scene.js';
import { depsOf, worldWithTwo } from './deps.js';

const WRITTEN = toLastAppliedText(ALLOW, ['orders']);
const subjectOf = (source: string) => intentionSubject(named('orders'), source);
const signal = new AbortController().signal;

let world: WorldState;
let made: ReturnType<typeof depsOf>;
const found = () => made.decisions.map(({ subject, reason }) => `${subject} ${reason}`);
const run = () => recordOpeningBalance(made.deps, signal);

beforeEach(() => {
  world = worldWithTwo();
  world.setUnrecorded(undefined);
  world.rememberWritten(KEY, new Map([[subjectOf('web'), WRITTEN]]));
  made = depsOf(world, {});
});

describe('the opening balance of a log', () => {
  it('has each edge with a record, and none that only has the mark', async () => {
    await run();
    expect(found()).toEqual([`${subjectOf('web')} Found`]);
    await run();
    expect(found()).toHaveLength(1);
  });

  it('is recorded again for another log', async () => {
    await run();
    await recordOpeningBalance({ ...made.deps, logName: 'kafka/decisions' }, signal);
    expect(found()).toHaveLength(2);
    expect(new Set(made.decisions.map(({ id }) => id)).size).toBe(2);
  });

  it('is made by a run after a crash with the same IDs, whatever the time', async () => {
    const names = Array.from({ length: 1_000 }, (_, at) => `s-${at}`);
    world.putEntries(
      [{ ...entry('orders', ...names.map((name) => ourSource(name, ALLOW))), modifyIndex: 99 }],
      NOW,
    );
    world.rememberWritten(KEY, new Map(names.map((name) => [subjectOf(name), WRITTEN])));
    let left = 1;
    const dying = {
      ...made.deps.journal,
      settle: async (...args: Parameters<typeof made.deps.journal.settle>) => {
        if (left-- === 0) throw new Error('the process died');
        await made.deps.journal.settle(...args);
      },
    };
    await expect(recordOpeningBalance({ ...made.deps, journal: dying }, signal)).rejects.toThrow('died');
    const first = made.decisions.map(({ id }) => id);
    expect(first).toHaveLength(400);
    await recordOpeningBalance(
      { ...made.deps, clock: { ...made.deps.clock, now: () => NOW + 60_000 } },
      signal,
    );
    const again = made.decisions.slice(first.length).map(({ id }) => id);
    expect(again.slice(0, first.length)).toEqual(first);
    expect(new Set(again).size).toBe(1_000);
  });

  it('waits while the store is low on space', async () => {
    await recordOpeningBalance({ ...made.deps, space: { isLow: () => true } }, signal);
    expect(found()).toEqual([]);
    await run();
    expect(found()).toHaveLength(1);
  });
});
