import { expect, it } from 'vitest';
import { TopicContent } from '../../src/decisions/topic-content.js';
import type { TrailRecord } from '../../src/decisions/trail-record.js';

const onDay = (day: number) => `2026-03-0${day}T01:00:00.000Z`;
const record = (
  log: string,
  sequence: number,
  day: number,
  source = 'scopemesh/payments/a',
): TrailRecord => ({
  kind: 'decision',
  id: `${log}-${sequence}`,
  source,
  time: onDay(day),
  link: { log, sequence, previousHash: '', hash: '' },
  isIntact: true,
});

it('knows of each log of its owner the last decision, and the first that an index still keeps', () => {
  const days = (count: number) => count * 86_400_000;
  // An hour passes until the index has deleted what is too old.
  const content = new TopicContent('payments', Date.parse(onDay(9)) - 3_600_000, days(5));
  expect(content.cutoff).toBe(onDay(4));
  const foreign = record('theirs', 1, 8, 'scopemesh/other/a');
  const own = [4, 5, 6].map((day, at) => record('new', at + 1, day));
  for (const each of [record('old', 1, 1), foreign, { kind: 'unreadable' } as const, ...own])
    content.add(each);
  expect([...content.logs]).toEqual([
    ['old', { last: { sequence: 1, time: onDay(1) } }],
    ['new', { last: { sequence: 3, time: onDay(6) }, firstKept: 2 }],
  ]);
});
