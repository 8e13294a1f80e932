import { expect, it } from 'vitest';
import { type JournalStep, RecentSteps, type SettleStep } from '../../../src/queue/bullmq/recent-steps.js';

const step = (key: string): JournalStep => ({ kind: 'record', drafts: 0, values: [key, 0, 0] });

const lose = (...ids: readonly string[]): SettleStep => ({
  kind: 'settle',
  key: 'key',
  ids,
  update: { digests: 0, holds: 0, values: [] },
  decisions: ids.flatMap((id) => [id, 's', '{}']),
});

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
  const lost = lose('a', 'b', 'a');
  recent.add(lost);
  recent.foundSettled('other', 1);
  expect(lost.revisions).toBeUndefined();
  recent.foundSettled('a', 2);
  // Redis may have this one from another settlement.
  expect(lost.revisions).toBeUndefined();
  recent.foundSettled('b', 3);
  recent.foundSettled('b', 4);
  expect(lost.revisions).toEqual([2, 3, 2]);
});

it('learns of each settlement of the same decision, and nothing of one that it has forgotten', () => {
  let now = 0;
  const recent = new RecentSteps({ now: () => now, sleep: async () => {} });
  const [forgotten, lost, repeated, answered] = [lose('a'), lose('a'), lose('a'), lose('a')];
  recent.add(forgotten);
  now = 40_000;
  for (const each of [lost, repeated, answered]) recent.add(each);
  recent.settled(answered, [0]);
  recent.foundSettled('a', 2);
  expect([forgotten, lost, repeated, answered].map(({ revisions }) => revisions)).toEqual([
    undefined,
    [2],
    [2],
    [0],
  ]);
});
