import { expect, it } from 'vitest';
import { type JournalStep, RecentSteps, type SettleStep } from '../../../src/queue/bullmq/recent-steps.js';
import { settled } from '../../conformance/journal.js';

const step = (key: string): JournalStep => ({ kind: 'record', key, drafts: [], replaced: [] });

it('keeps the last steps over an outage of any length, and forgets old ones at the next step', () => {
  let now = 0;
  const recent = new RecentSteps({ now: () => now, sleep: async () => {} });
  recent.add(step('a'));
  recent.published(['1']);
  now = 3_600_000;
  expect(recent.all()).toEqual([step('a')]);
  expect(recent.isPublished('1')).toBe(true);
  recent.add(step('b'));
  expect(recent.all()).toEqual([step('b')]);
  expect(recent.isPublished('1')).toBe(false);
});

it('learns batch by batch what the outbox has of a settlement whose answer was lost', () => {
  const recent = new RecentSteps({ now: () => 0, sleep: async () => {} });
  const decisions = ['a', 'b'].map((id) => settled(id));
  const lost: SettleStep = { kind: 'settle', key: 'key', decisions, update: {} };
  recent.add(lost);
  recent.foundSettled(new Map([['other', 1]]));
  expect(lost.revisions).toBeUndefined();
  recent.foundSettled(new Map([['a', 2]]));
  // Redis may have this one from another settlement.
  expect(lost.revisions).toBeUndefined();
  recent.foundSettled(new Map([['b', 3]]));
  recent.foundSettled(new Map([['b', 4]]));
  expect(lost.revisions).toEqual(
    new Map([
      ['a', 2],
      ['b', 3],
    ]),
  );
});

it('learns of each settlement of the same decision, and nothing of one that it has forgotten', () => {
  let now = 0;
  const recent = new RecentSteps({ now: () => now, sleep: async () => {} });
  const lose = (): SettleStep => ({ kind: 'settle', key: 'key', decisions: [settled('a')], update: {} });
  const [forgotten, lost, repeated, answered] = [lose(), lose(), lose(), lose()];
  recent.add(forgotten);
  now = 40_000;
  for (const each of [lost, repeated, answered]) recent.add(each);
  recent.settled(answered, new Map());
  recent.foundSettled(new Map([['a', 2]]));
  const found = new Map([['a', 2]]);
  expect([forgotten, lost, repeated, answered].map(({ revisions }) => revisions)).toEqual([
    undefined,
    found,
    found,
    new Map(),
  ]);
});
