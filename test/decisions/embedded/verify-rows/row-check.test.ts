import { expect, it } from 'vitest';
import type { TopicIndexState } from '../../../../src/decisions/embedded/topic-index-state.js';
import { RowCheck } from '../../../../src/decisions/embedded/verify-rows.js';
import { HOUR_MS, TopicContent } from '../../../../src/decisions/topic-content.js';

/** Decision 3 was made on the 13th. */
const on = (day: number) => `2026-03-1${day}T10:00:00.000Z`;
const link = (sequence: number, before = sequence - 1) => ({
  log: 'A',
  sequence,
  previousHash: `hash ${before}`,
  hash: `hash ${sequence}`,
});

interface Case {
  readonly rows: readonly (number | readonly [number, before: number])[];
  /** What the index says of itself. */
  readonly says?: Partial<TopicIndexState>;
  /** The index says that these are missing. */
  readonly lacks?: readonly [from: number, to: number];
  /** The index keeps what is newer. */
  readonly cutoff?: number;
}

/** What is wrong with an index that has these of the decisions 1 to 6 of the topic. */
function faultOf({ rows, says = {}, lacks, cutoff = 0 }: Case): string | undefined {
  const topic = new TopicContent('payments', Date.parse(on(cutoff)) - HOUR_MS, 0);
  for (const sequence of [1, 2, 3, 4, 5, 6])
    topic.add({
      kind: 'decision',
      id: `${sequence}`,
      source: 'scopemesh/payments',
      time: on(sequence),
      link: link(sequence),
      isIntact: true,
    });
  const links = rows.map((row) => (typeof row === 'number' ? link(row) : link(...row)));
  const { sequence, hash } = links.at(-1) ?? link(6);
  const missing = lacks && { from: lacks[0], to: lacks[1] };
  const chains = { A: { sequence, hash, time: on(sequence), ...(missing && { missing }) } };
  const state = { position: '', until: on(9), chains, holes: {}, gaps: [], ...says };
  const check = new RowCheck(state, topic);
  for (const each of links) {
    const fault = check.see(each, on(each.sequence));
    if (fault !== undefined) return fault;
  }
  return check.atEnd();
}

const gap = (after: number, until: number) => ({ after: on(after), until: on(until) });
const waits = { holes: { A: { after: 4, since: 0, time: on(4) } } };

it.each<[string, Case]>([
  ['has all', { rows: [1, 2, 3, 4, 5, 6] }],
  ['deleted the old ones', { rows: [4, 5, 6], cutoff: 3 }],
  ['deleted all of them', { rows: [], cutoff: 6 }],
  ['began when the topic had no older one', { rows: [3, 4, 5, 6], says: { begin: on(3) } }],
  ['began when the topic lacked some', { rows: [1, 4, 5, 6], says: { begin: on(4) } }],
  ['says in which time it lacks them', { rows: [1, 4, 5, 6], lacks: [2, 3], says: { gaps: [gap(4, 4)] } }],
  ['says that it lacks the first ones', { rows: [3, 4, 5, 6], lacks: [1, 2], says: { gaps: [gap(0, 3)] } }],
  ['names several gaps', { rows: [1, 4, 5, 6], lacks: [2, 3], says: { gaps: [gap(0, 1), gap(1, 4)] } }],
  ['forgot a gap that is old', { rows: [1, 4, 5, 6], lacks: [2, 3], cutoff: 4 }],
  ['waits for the next one', { rows: [1, 2, 3, 4], says: waits }],
  ['is broken', { rows: [1, 2, 3, 4], says: { broken: { id: '5', time: on(5) } } }],
  [
    'looked within the hour of the last one',
    { rows: [1, 2, 3, 4], says: { until: '2026-03-16T11:00:00.000Z' } },
  ],
  ['never looked to the end', { rows: [1, 2, 3, 4], says: { until: undefined } }],
  ['lacks newer ones that are too old by now', { rows: [4], cutoff: 6 }],
])('an index that %s is intact', (_, index) => {
  expect(faultOf(index)).toBeUndefined();
});

it.each<[string, number, Case]>([
  ['the first one', 1, { rows: [2, 3, 4, 5, 6] }],
  ['the first one behind the beginning of the index', 3, { rows: [5, 6], cutoff: 2, says: { begin: on(4) } }],
  ['one in the middle', 3, { rows: [1, 2, 4, 5, 6] }],
  ['one in whose place is another', 2, { rows: [1, [2, 0], 3] }],
  ['the last ones', 5, { rows: [1, 2, 3, 4] }],
  ['one behind the beginning of the index', 5, { rows: [1, 2, 3, 4, 6], says: { begin: on(4) } }],
  ['one before a gap', 2, { rows: [1, 4, 5, 6], lacks: [3, 3], says: { gaps: [gap(1, 4)] } }],
  ['one behind a gap', 2, { rows: [1, 4, 5, 6], lacks: [2, 2], says: { gaps: [gap(1, 4)] } }],
  ['one in a gap that has no time', 2, { rows: [1, 4, 5, 6], lacks: [2, 3] }],
  ['one in a gap of an earlier time', 2, { rows: [1, 4, 5, 6], lacks: [2, 3], says: { gaps: [gap(0, 3)] } }],
  ['one in a gap of a later time', 2, { rows: [1, 4, 5, 6], lacks: [2, 3], says: { gaps: [gap(5, 6)] } }],
])('%s is missing', (_, sequence, index) => {
  expect(faultOf(index)).toBe(`decision ${sequence} of log A is missing at its place`);
});

it.each([2, 1])('a decision that comes again, as %i, is not at its place', (again) => {
  expect(faultOf({ rows: [1, 2, again] })).toBe(`decision ${again} of log A is not at its place`);
});
