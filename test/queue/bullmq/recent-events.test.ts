import { expect, it } from 'vitest';
import { type AcceptedEvents, RecentEvents } from '../../../src/queue/bullmq/recent-events.js';

const accepted = (...ids: string[]): AcceptedEvents => ({
  provider: 'main',
  events: ids.map((id) => ({ id, triggers: [], rechecks: [] })),
  memory: { scope: 'event/main', ttlMs: 1 },
});

it('keeps the last events over an outage of any length, and forgets old ones with the next', () => {
  let now = 0;
  const recent = new RecentEvents({ now: () => now, sleep: async () => {} });
  recent.add(accepted('a'));
  recent.add(accepted());
  now = 3_600_000;
  expect(recent.all()).toEqual([accepted('a')]);
  recent.add(accepted('b'));
  expect(recent.all()).toEqual([accepted('b')]);
});

it('gives in one piece what was accepted with the same', () => {
  const recent = new RecentEvents({ now: () => 0, sleep: async () => {} });
  const other = { ...accepted('b'), provider: 'other' };
  for (const each of [accepted('a'), other, accepted('c')]) recent.add(each);
  expect(recent.all()).toEqual([accepted('a', 'c'), other]);
});

it('keeps ten thousand at most', () => {
  const recent = new RecentEvents({ now: () => 0, sleep: async () => {} });
  const many = accepted(...Array.from({ length: 9_999 }, (_, index) => `${index}`));
  for (const each of [accepted('a'), many, accepted('b')]) recent.add(each);
  expect(recent.all()).toEqual([{ ...many, events: [...many.events, ...accepted('b').events] }]);
});
