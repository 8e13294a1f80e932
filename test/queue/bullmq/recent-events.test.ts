import { expect, it } from 'vitest';
import { type AcceptedEvents, RecentEvents } from '../../../src/queue/bullmq/recent-events.js';
import { trigger } from '../../conformance/store-harness.js';

const accepted = (...ids: string[]): AcceptedEvents => ({
  provider: 'main',
  events: ids.map((id) => ({ id, triggers: [], rechecks: [] })),
  memory: { scope: 'event/main', ttlMs: 1 },
});
const many = (count: number) => Array.from({ length: count }, (_, index) => `${index}`);
const idsIn = (steps: readonly AcceptedEvents[]) => steps.flatMap(({ events }) => events.map(({ id }) => id));
function createRecent() {
  const clock = { now: 0 };
  const recent = new RecentEvents({ now: () => clock.now, sleep: async () => {} });
  const missing = (lostAt = clock.now) => {
    recent.lost(lostAt);
    return recent.missing();
  };
  return { clock, recent, missing };
}

it('gives the events of the 30 s before Redis was lost, however long it was away', () => {
  const { clock, recent, missing } = createRecent();
  recent.add(accepted('a'));
  recent.add(accepted());
  clock.now = 20_000;
  recent.add(accepted('b'));
  clock.now = 3_600_000;
  expect(missing(clock.now)).toEqual([]);
  expect(missing(40_000)).toEqual([accepted('b')]);
  expect(recent.countMissing).toBe(1);
});

it('gives an event until it is restored, and again if Redis is lost after that', () => {
  const { clock, recent, missing } = createRecent();
  recent.add(accepted('a', 'b'));
  expect(missing()).toEqual([accepted('a', 'b')]);
  clock.now = 3_600_000;
  recent.add(accepted('c'));
  expect(missing()).toEqual([accepted('a', 'b', 'c')]);
  recent.restored(accepted('a'));
  expect(recent.missing()).toEqual([accepted('b', 'c')]);
  recent.restored(accepted('b', 'c'));
  expect(recent.missing()).toEqual([]);
  expect(idsIn(missing(clock.now + 1)).sort()).toEqual(['a', 'b', 'c']);
});

it('counts an event that was acknowledged again once, from then on', () => {
  const { clock, recent, missing } = createRecent();
  recent.add(accepted('a'));
  clock.now = 29_000;
  for (const _ of many(30)) recent.add(accepted(...many(1000)));
  recent.add(accepted('a'));
  clock.now = 50_000;
  expect(idsIn(missing())).toEqual(['a', ...many(1000)]);
});

it('gives in one piece what was accepted with the same, and in steps what is too much for one', () => {
  const { recent, missing } = createRecent();
  const other = { ...accepted('b'), provider: 'other' };
  for (const each of [accepted('a'), other, accepted('c')]) recent.add(each);
  expect(missing()).toEqual([accepted('a', 'c'), other]);
  recent.add(accepted(...many(998)));
  expect(missing().map(({ events }) => events.length)).toEqual([500, 500, 1]);
});

it.each([
  [2000, ['b', 'c']],
  [2001, ['c']],
])('keeps twenty thousand events and what follows from them at most: with %i more, %j', (count, kept) => {
  const { recent, missing } = createRecent();
  for (const id of ['a', 'b', 'c']) {
    const triggers = many(8_000).map((each) => trigger(each, id));
    const rechecks = triggers.slice(0, 999).map((each, index) => ({
      id: `${index}`,
      trigger: each,
      eventAt: 0,
      looks: 0,
      dueAt: 0,
    }));
    recent.add({ ...accepted(), events: [{ id, triggers, rechecks }] });
  }
  recent.add(accepted(...many(count)));
  expect(idsIn(missing())).toEqual([...kept, ...many(count)]);
});
