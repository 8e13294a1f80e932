import { describe, expect, it, vi } from 'vitest';
import { toLastAppliedText } from '../../src/plan/last-applied.js';
import { readDestination, storeNew } from '../../src/reconcile/read-destination.js';
import { ALLOW, entry, NOW, named, ourSource } from '../plan/scene.js';
import { planRig, subjectOf, TEXT } from './plan-basis.js';

const never = new AbortController().signal;
const ORDERS = named('orders');

describe('the entry of a destination before its first plan', () => {
  it('is the known one while the watch keeps that current', async () => {
    const { deps, entry: known, reads } = planRig();
    expect(await readDestination(ORDERS, TEXT, deps, never)).toMatchObject({ entry: known });
    expect(reads).toEqual([]);
  });

  it('is read after a write of our own, whose index is unknown until the watch shows it', async () => {
    const now = { ...entry('orders', ourSource('api', ALLOW)), modifyIndex: 8 };
    const { world, deps, reads } = planRig(new Map([['orders', now]]));
    world.putEntries([{ ...entry('orders', ourSource('web', ALLOW)), modifyIndex: 0 }], NOW);
    expect(await readDestination(ORDERS, TEXT, deps, never)).toMatchObject({ entry: now });
    expect(reads).toEqual(['orders']);
  });
});

describe('the records of edges', () => {
  const written = toLastAppliedText(ALLOW, ['orders']);

  it('are kept in memory and in the journal beside those that are known', async () => {
    const { world, deps, onlyRecorded } = planRig();
    onlyRecorded('web');
    await storeNew(TEXT, new Map(['web', 'api'].map((name) => [subjectOf(name), written])), deps);
    const subjects = [subjectOf('web'), subjectOf('api')];
    expect([...world.records.of(TEXT).keys()]).toEqual(subjects);
    expect([...(await deps.journal.read(TEXT)).lastApplied.keys()].toSorted()).toEqual(subjects.toSorted());
  });

  it('change nothing in memory if all of them are known', async () => {
    const { world, deps, onlyRecorded } = planRig();
    onlyRecorded('web');
    const remember = vi.spyOn(world, 'rememberWritten');
    await storeNew(TEXT, new Map([[subjectOf('web'), written]]), deps);
    expect(remember).not.toHaveBeenCalled();
  });
});
