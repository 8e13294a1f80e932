import { describe, expect, it } from 'vitest';
import type { Unsettled } from '../../src/queue/inbox.js';
import { type QueuedKey, QueuedKeys } from '../../src/queue/queued-keys.js';
import { key, trigger } from '../conformance/store-harness.js';

let seq = 0;
const at = (name: string, place: number, urgent = false): Unsettled => ({
  id: `${place}-x`,
  seq: place,
  trigger: trigger(name, String(place), urgent ? { urgent } : {}),
});
const next = (name: string, urgent = false) => at(name, ++seq, urgent);
const textsOf = (taken: readonly QueuedKey[]) => taken.map(({ text }) => text);
const one = (keys: QueuedKeys) => {
  const [entry] = keys.take(1);
  if (entry === undefined) throw new Error('no key waits');
  return entry;
};
const parkedAt = (newest: number) => ({
  attempts: 8,
  error: 'no',
  parkedSince: '2026-01-01T00:00:00.000Z',
  upTo: `${newest}-x`,
  newest,
});

describe('the keys of a queue', () => {
  it('gives urgent keys first, of equals the oldest, each key once', () => {
    const keys = new QueuedKeys();
    keys.add([next('a'), next('b'), next('a'), next('u', true), next('b', true)]);
    expect(keys.waiting).toBe(3);
    expect(textsOf(keys.take(2))).toEqual(['u', 'b'].map(key));
    expect(textsOf(keys.take(2))).toEqual([key('a')]);
    expect(keys.state()).toMatchObject({ waiting: 0, active: 3 });
  });

  it('puts a key that returns behind those that wait, and forgets one that is done', () => {
    const keys = new QueuedKeys();
    keys.add([next('a'), next('b')]);
    const first = one(keys);
    keys.end(first, { kind: 'again' });
    const second = one(keys);
    expect(textsOf([first, second])).toEqual(['a', 'b'].map(key));
    keys.end(second, { kind: 'done' });
    expect(keys.get(key('b'))).toBeUndefined();
    expect(textsOf(keys.take(9))).toEqual([key('a')]);
  });

  it('runs a key once more for what came while it ran, as urgently as that is', () => {
    const keys = new QueuedKeys();
    keys.add([next('a', true), next('b')]);
    const first = one(keys);
    keys.add([next('a')]);
    expect(keys.waiting).toBe(1);
    keys.end(first, { kind: 'done' });
    expect(textsOf(keys.take(9))).toEqual(['b', 'a'].map(key));
  });

  it('does not know a trigger again', () => {
    const keys = new QueuedKeys();
    const found = [next('a'), next('a')];
    expect(keys.add(found)).toHaveLength(2);
    expect(keys.add(found)).toEqual([]);
    const entry = one(keys);
    // The run read a trigger that was not announced yet.
    entry.newest = seq + 1;
    expect(keys.add([next('a')])).toEqual([]);
    keys.end(entry, { kind: 'done' });
    expect(keys.waiting).toBe(0);
  });

  it('lets an urgent trigger end a wait, and no other one', () => {
    const keys = new QueuedKeys();
    keys.add([next('a')]);
    const wake = new AbortController();
    keys.end(one(keys), { kind: 'delayed', wake, attempts: 2 });
    keys.add([next('a')]);
    expect([keys.waiting, wake.signal.aborted]).toEqual([0, false]);
    keys.add([next('a', true)]);
    expect([keys.waiting, wake.signal.aborted]).toEqual([1, true]);
    expect(one(keys).attempts).toBe(2);
  });

  it('ends only the wait that is under way', () => {
    const keys = new QueuedKeys();
    keys.add([next('a')]);
    const entry = one(keys);
    const [former, wake] = [new AbortController(), new AbortController()];
    keys.end(entry, { kind: 'delayed', wake });
    keys.wake(entry, former);
    expect(keys.state()).toMatchObject({ waiting: 0, delayed: 1 });
    keys.wake(entry, wake);
    expect(keys.state()).toMatchObject({ waiting: 1, delayed: 0 });
  });

  it('keeps a key parked that an earlier leader parked, until a newer trigger', () => {
    const keys = new QueuedKeys();
    keys.begin(new Map([[key('a'), parkedAt(1_002)]]));
    keys.add([at('a', 1_001), at('a', 1_002), at('b', 1_003)]);
    expect(keys.waiting).toBe(1);
    expect(keys.state().parked).toMatchObject([{ key: key('a'), attempts: 8, error: 'no' }]);
    keys.add([at('a', 1_004)]);
    expect(keys.state().parked).toEqual([]);
    expect(keys.take(9).map(({ text, attempts }) => [text, attempts])).toEqual([
      [key('b'), 0],
      [key('a'), 0],
    ]);
  });

  it('takes all triggers for new after a store forgot some, but not those of a key that is parked in both', () => {
    const keys = new QueuedKeys();
    const failure = { attempts: 8, error: 'no', parkedSince: '2026-01-01T00:00:00.000Z', upTo: '' };
    keys.add([at('both', 50), at('forgotten', 51), at('a', 52)]);
    for (const entry of keys.take(2)) keys.end(entry, { kind: 'parked', failure });
    keys.begin(new Map([[key('both'), parkedAt(50)]]));
    expect(keys.add([at('both', 50), at('forgotten', 51), at('a', 40)])).toHaveLength(2);
    expect(keys.state().parked.map((each) => each.key)).toEqual([key('both')]);
    expect(textsOf(keys.take(9))).toEqual(['a', 'forgotten'].map(key));
  });

  it('forgets all, whatever ends later', () => {
    const keys = new QueuedKeys();
    keys.add([next('a'), next('b'), next('c')]);
    const [running, delayed] = keys.take(2);
    if (running === undefined || delayed === undefined) throw new Error('too few keys');
    const wake = new AbortController();
    keys.end(delayed, { kind: 'delayed', wake });
    keys.clear();
    expect(wake.signal.aborted).toBe(true);
    keys.wake(delayed, wake);
    keys.end(running, { kind: 'again' });
    expect(keys.state()).toEqual({ waiting: 0, delayed: 0, active: 0, parked: [] });
  });
});
