import { expect, it } from 'vitest';
import { type JournalStep, RecentSteps } from '../../../src/queue/bullmq/recent-steps.js';

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
