import { beforeEach, describe, expect, it } from 'vitest';
import { noteRecords, recordEqualEdges, storeRecords } from '../../../src/apply/edge-records.js';
import { toLastAppliedText } from '../../../src/plan/last-applied.js';
import { intentionSubject } from '../../../src/plan/plan.js';
import type { WorldState } from '../../../src/state/world-state.js';
import { ALLOW, DENY, entry, NOW, named, ourSource } from '../../plan/scene.js';
import { depsOf, worldWithTwo } from '../../reconcile/deps.js';
import { KEY } from '../apply-rig.js';

const WRITTEN = toLastAppliedText(ALLOW, ['orders']);
const WEB = intentionSubject(named('orders'), 'web');
const API = intentionSubject(named('orders'), 'api');

let world: WorldState;
let made: ReturnType<typeof depsOf>;
let settlements: number;
/** What the journal settled is counted. */
const counting = () => ({
  ...made.deps,
  journal: {
    ...made.deps.journal,
    settle: (...args: Parameters<typeof made.deps.journal.settle>) => {
      settlements++;
      return made.deps.journal.settle(...args);
    },
  },
});
const consulHas = (...sources: Parameters<typeof entry>[1][]) =>
  world.putEntries([{ ...entry('orders', ...sources), modifyIndex: 99 }], NOW);
const stored = async () => Object.fromEntries((await made.deps.journal.read(KEY)).lastApplied);
const known = () => Object.fromEntries(world.records.of(KEY));

beforeEach(() => {
  world = worldWithTwo();
  world.setUnrecorded(undefined);
  made = depsOf(world, {});
  settlements = 0;
});

describe('the records of edges that were lost with the store', () => {
  it('are noted in memory for the edges that are as they should be, and for no others', () => {
    consulHas(ourSource('web', ALLOW), ourSource('api', DENY));
    expect(noteRecords(world, NOW)).toEqual([named('orders')]);
    expect(known()).toEqual({ [WEB]: WRITTEN });
  });

  it('are noted beside those that are there', () => {
    world.rememberWritten(KEY, new Map([[API, WRITTEN]]));
    expect(noteRecords(world, NOW)).toEqual([named('orders')]);
    expect(known()).toEqual({ [API]: WRITTEN, [WEB]: WRITTEN });
  });

  it('are not noted again', () => {
    noteRecords(world, NOW);
    const before = world.records.of(KEY);
    expect(noteRecords(world, NOW)).toEqual([]);
    expect(world.records.of(KEY)).toBe(before);
  });

  it('name no destination whose marked edges all differ', () => {
    consulHas(ourSource('web', DENY));
    expect(noteRecords(world, NOW)).toEqual([]);
    expect(known()).toEqual({});
  });

  it('are stored in one step, those alone that the store has not', async () => {
    noteRecords(world, NOW);
    await made.deps.journal.settle(KEY, [], { lastApplied: new Map([[API, WRITTEN]]) });
    const deps = counting();
    const updates: (readonly string[])[] = [];
    const { settle } = deps.journal;
    deps.journal.settle = (key, decisions, update) => {
      updates.push([...(update?.lastApplied?.keys() ?? [])]);
      return settle(key, decisions, update);
    };
    await storeRecords(KEY, deps);
    expect(updates).toEqual([[WEB]]);
    expect(await stored()).toEqual({ [API]: WRITTEN, [WEB]: WRITTEN });
    await storeRecords(KEY, deps);
    expect(settlements).toBe(1);
  });

  it('are stored again if the store has another text', async () => {
    noteRecords(world, NOW);
    await made.deps.journal.settle(KEY, [], {
      lastApplied: new Map([
        [API, WRITTEN],
        [WEB, 'other'],
      ]),
    });
    await storeRecords(KEY, made.deps);
    expect(await stored()).toEqual({ [API]: WRITTEN, [WEB]: WRITTEN });
  });

  it('are noted and stored by a command', async () => {
    await recordEqualEdges(counting());
    expect(await stored()).toEqual({ [API]: WRITTEN, [WEB]: WRITTEN });
    await recordEqualEdges(counting());
    expect(settlements).toBe(1);
  });
});
