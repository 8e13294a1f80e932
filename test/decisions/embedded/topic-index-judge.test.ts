import { describe, expect, it } from 'vitest';
import { extendSigned } from '../../../src/decisions/batch-proof.js';
import { emptyChain, toStoredText } from '../../../src/decisions/chain.js';
import {
  HOLE_PATIENCE_MS,
  judge,
  MAX_HELD,
  type Staged,
  withGap,
  withoutHole,
} from '../../../src/decisions/embedded/topic-index-judge.js';
import type { TopicIndexState } from '../../../src/decisions/embedded/topic-index-state.js';
import type { Decision } from '../../../src/model/decision.js';
import { decisions } from '../../support/decisions.js';
import { chained, signer } from '../../support/signed-log.js';

const day = (at: number) => `2026-03-0${at}T10:00:00.000Z`;
const ALL = decisions(5).map((each, at) => ({ ...each, time: day(at + 1) }));
const staged = ({ id, time, subject, chain, ...rest }: Decision): Staged => ({
  ...{ log: 'one', sequence: chain?.sequence ?? 0, time, id, subject },
  event: toStoredText({ ...rest, id, time, subject, ...(chain === undefined ? {} : { chain }) }),
});
const OWN = chained(ALL);
const row = (sequence: number): Staged => staged(OWN[sequence - 1] as Decision);
/** Signed by the same key, with another past. */
const forked = chained(ALL.map((each) => ({ ...each, detail: 'another' }))).map(staged);
const [continued] = extendSigned({ ...emptyChain('one'), hash: 'f'.repeat(64) }, ALL, signer).chained.map(
  staged,
);

const EMPTY: TopicIndexState = { position: '', chains: {}, holes: {}, gaps: [] };
const link = (sequence: number) => ({
  sequence,
  hash: OWN[sequence - 1]?.chain?.hash ?? '',
  time: day(sequence),
});
const upTo = (
  sequence: number,
  more: Partial<TopicIndexState> = {},
  missing?: [number, number],
): TopicIndexState => {
  const gap = missing === undefined ? {} : { missing: { from: missing[0], to: missing[1] } };
  return { ...EMPTY, chains: { one: { ...link(sequence), ...gap } }, ...more };
};
const hole = { after: 1, since: 0, time: day(1) };
const waiting = upTo(1, { holes: { one: hole } });
const gapOf = (from: number, until: number) => ({ after: day(from), until: day(until) });
const GAP = { verdict: 'take', fault: 'gap' };
const BROKEN = { verdict: 'drop', fault: 'broken' };
const broken = { id: row(1).id, time: day(1) };

describe('a decision of a topic', () => {
  it.each<[string, TopicIndexState, Staged | undefined, object, object, number?, number?]>([
    ['that is the first one is taken', EMPTY, row(1), { verdict: 'take' }, upTo(1)],
    ['that continues the log is taken', upTo(1), row(2), { verdict: 'take' }, upTo(2)],
    [
      'that is first and continues another one breaks the log',
      EMPTY,
      continued,
      BROKEN,
      { ...EMPTY, broken },
    ],
    [
      'that breaks a log again leaves the first place',
      { ...EMPTY, broken: { id: 'x', time: '' } },
      continued,
      BROKEN,
      { ...EMPTY, broken: { id: 'x', time: '' } },
    ],
    [
      'that does not continue the log breaks it',
      upTo(1),
      forked[1],
      BROKEN,
      upTo(1, { broken: { id: row(2).id, time: day(2) } }),
    ],
    [
      'with the last number again breaks the log',
      upTo(2),
      forked[1],
      BROKEN,
      upTo(2, { broken: { id: row(2).id, time: day(2) } }),
    ],
    [
      'behind a missing one waits',
      upTo(1),
      row(3),
      { verdict: 'wait' },
      upTo(1, { holes: { one: { ...hole, since: 7 } } }),
      7,
    ],
    [
      'of a log whose beginning is missing waits',
      EMPTY,
      row(2),
      { verdict: 'wait' },
      { ...EMPTY, holes: { one: { after: 0, since: 7, time: day(2) } } },
      7,
    ],
    [
      'waits on for as long as it may',
      waiting,
      row(3),
      { verdict: 'wait' },
      waiting,
      HOLE_PATIENCE_MS - 1,
      MAX_HELD,
    ],
    [
      'is taken after that with a gap',
      waiting,
      row(3),
      GAP,
      upTo(3, { gaps: [gapOf(1, 3)] }, [2, 2]),
      HOLE_PATIENCE_MS,
    ],
    [
      'is taken after the clock was set back',
      waiting,
      row(3),
      GAP,
      upTo(3, { gaps: [gapOf(1, 3)] }, [2, 2]),
      -HOLE_PATIENCE_MS,
    ],
    [
      'is taken when too many wait',
      waiting,
      row(3),
      GAP,
      upTo(3, { gaps: [gapOf(1, 3)] }, [2, 2]),
      1,
      MAX_HELD + 1,
    ],
    [
      'waits anew behind another missing one',
      upTo(2, { holes: { one: hole } }),
      row(4),
      { verdict: 'wait' },
      upTo(2, { holes: { one: { after: 2, since: 7, time: day(2) } } }),
      7,
    ],
    [
      'of a log whose beginning does not come breaks it',
      { ...EMPTY, holes: { one: { ...hole, after: 0 } } },
      row(2),
      BROKEN,
      { ...EMPTY, holes: { one: { ...hole, after: 0 } }, broken: { id: row(2).id, time: day(2) } },
      HOLE_PATIENCE_MS,
    ],
    [
      'after a second gap leaves the beginning of the first',
      { ...upTo(3, {}, [2, 2]), holes: { one: { after: 3, since: 0, time: day(3) } } },
      row(5),
      GAP,
      upTo(5, { gaps: [gapOf(3, 5)] }, [2, 4]),
      HOLE_PATIENCE_MS,
    ],
    ['after a gap leaves it as it is', upTo(3, {}, [2, 2]), row(4), { verdict: 'take' }, upTo(4, {}, [2, 2])],
    [
      'that comes late into its gap is left out',
      upTo(3, { gaps: [gapOf(2, 2)] }, [2, 2]),
      row(2),
      { verdict: 'drop' },
      upTo(3, { gaps: [gapOf(2, 2)] }, [2, 2]),
    ],
    [
      'that comes late beside the gaps adds one',
      upTo(3, { gaps: [gapOf(3, 4), gapOf(1, 1)] }, [2, 2]),
      row(2),
      { verdict: 'drop', fault: 'gap' },
      upTo(3, { gaps: [gapOf(1, 1), gapOf(2, 2), gapOf(3, 4)] }, [2, 2]),
    ],
    [
      'before what is missing breaks the log',
      upTo(4, {}, [3, 3]),
      row(2),
      BROKEN,
      upTo(4, { broken: { id: row(2).id, time: day(2) } }, [3, 3]),
    ],
    [
      'behind what is missing breaks the log',
      upTo(4, {}, [2, 2]),
      row(3),
      BROKEN,
      upTo(4, { broken: { id: row(3).id, time: day(3) } }, [2, 2]),
    ],
    [
      'behind what Kafka had deleted is taken',
      { ...EMPTY, begin: day(3) },
      row(3),
      { verdict: 'take' },
      upTo(3, { begin: day(3) }),
    ],
    [
      'behind what Kafka had deleted within a log is taken',
      upTo(1, { begin: day(3) }),
      row(3),
      { verdict: 'take' },
      upTo(3, { begin: day(3) }),
    ],
    [
      'behind what Kafka cannot have deleted waits',
      { ...EMPTY, begin: day(2) },
      row(3),
      { verdict: 'wait' },
      { ...EMPTY, begin: day(2), holes: { one: { after: 0, since: 7, time: day(3) } } },
      7,
    ],
    [
      'behind one that Kafka had left waits',
      upTo(2, { begin: day(1) }),
      row(4),
      { verdict: 'wait' },
      upTo(2, { begin: day(1), holes: { one: { after: 2, since: 7, time: day(2) } } }),
      7,
    ],
  ])('%s', (_, state, decision, result, next, now = 0, held = 1) => {
    const judged = judge(state, decision as Staged, { now, held: () => held, isOnce: false });
    expect(judged).toEqual({ ...result, state: next });
  });

  it('of a copy never waits', () => {
    const once = (state: TopicIndexState, of: number) =>
      judge(state, row(of), { now: 0, held: () => 1, isOnce: true });
    expect(once(upTo(1), 3)).toEqual({ ...GAP, state: upTo(3, { gaps: [gapOf(1, 3)] }, [2, 2]) });
    expect(once({ ...EMPTY, begin: day(1) }, 3)).toEqual({
      verdict: 'take',
      state: upTo(3, { begin: day(1) }),
    });
    expect(once(EMPTY, 3)).toMatchObject({
      ...GAP,
      state: { gaps: [gapOf(3, 3)], chains: { one: { sequence: 3 } } },
    });
  });
});

it('the two oldest of too many gaps become one', () => {
  const gap = (at: number) => ({ after: String(at).padStart(2, '0'), until: String(90 - at) });
  const gaps = Array.from({ length: 20 }, (_, at) => gap(at + 1));
  const all = withGap({ ...EMPTY, gaps: gaps.slice(1) }, gap(1));
  expect(all.gaps).toEqual(gaps);
  expect(withGap(all, gap(0)).gaps).toEqual([{ after: '00', until: '90' }, ...gaps.slice(1)]);
});

it('a log that waits for nothing leaves the state as it is', () => {
  expect(withoutHole(EMPTY, 'one')).toBe(EMPTY);
  expect(withoutHole({ ...EMPTY, holes: { one: hole, two: hole } }, 'one').holes).toEqual({ two: hole });
});
