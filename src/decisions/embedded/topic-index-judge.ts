import { z } from 'zod';
import { compareText } from '../../model/compare-text.js';
import { linkOf, NO_HASH } from '../chain.js';
import {
  checkpointSubject,
  parseCheckpointEvent,
  type StoredCheckpoint,
  toCheckpointEvent,
} from '../checkpoint.js';
import { parseJson } from '../envelope.js';
import type { Gap, TopicIndexState } from './topic-index-state.js';

/** A decision that was read of the topic and is not in the index yet. */
export const STAGED = z.object({
  log: z.string(),
  sequence: z.number(),
  time: z.string(),
  id: z.string(),
  subject: z.string(),
  /** The CloudEvent as JSON. */
  event: z.string(),
});
export type Staged = Readonly<z.infer<typeof STAGED>>;

/** What becomes of a decision, and of the state of the index. `wait`: what is before it in its chain may still come. */
export interface Judgement {
  readonly verdict: 'take' | 'drop' | 'wait';
  readonly state: TopicIndexState;
  readonly fault?: 'gap' | 'broken';
}

/** Kafka shows the parts of one transaction at slightly different times. */
export const HOLE_PATIENCE_MS = 60_000;
/** The decisions of a log that wait for one before them. */
export const MAX_HELD = 1_000;
const MAX_GAPS = 20;

/** How long a hole is waited for. */
interface Patience {
  readonly now: number;
  /** How many decisions of the log wait, this one included. */
  readonly held: () => number;
  /** The topic is read once: nothing comes later. */
  readonly isOnce: boolean;
}

/**
 * Judges the next decision of a log, which is signed. A hole holds back only its log, and not for long; and a log begins with
 * its first decision. A copy takes what the topic has: nothing else will come.
 */
export function judge(state: TopicIndexState, row: Staged, { now, held, isOnce }: Patience): Judgement {
  const { chains } = state;
  const last = chains[row.log];
  const { previousHash = '', hash = '' } = linkOf(parseJson(row.event)) ?? {};
  if (row.sequence === 1 && previousHash !== NO_HASH) return broken(state, row);
  if (last !== undefined && row.sequence <= last.sequence) return late(state, row, last);
  const after = last?.sequence ?? 0;
  const isNext = row.sequence === after + 1;
  if (isNext && last !== undefined && previousHash !== last.hash) return broken(state, row);
  const isGap = !isNext && !isDeleted(state, row, last, isOnce);
  if (isGap && !isOnce) {
    const hole = state.holes[row.log];
    const isSame = hole?.after === after;
    if (!isSame) {
      const begun = { after, since: now, time: last?.time ?? row.time };
      return { verdict: 'wait', state: { ...state, holes: { ...state.holes, [row.log]: begun } } };
    }
    // The clock may have been set back.
    if (Math.abs(now - hole.since) < HOLE_PATIENCE_MS && held() <= MAX_HELD)
      return { verdict: 'wait', state };
    if (last === undefined) return broken(state, row);
  }
  const missing =
    isGap && last !== undefined
      ? { from: last.missing?.from ?? after + 1, to: row.sequence - 1 }
      : last?.missing;
  const link = {
    sequence: row.sequence,
    time: row.time,
    hash,
    ...(missing === undefined ? {} : { missing }),
  };
  const taken = { ...withoutHole(state, row.log), chains: { ...chains, [row.log]: link } };
  if (!isGap) return { verdict: 'take', state: taken };
  return {
    verdict: 'take',
    state: withGap(taken, { after: last?.time ?? row.time, until: row.time }),
    fault: 'gap',
  };
}

/** In the place of a time: sorts behind each decision with the same number. */
export const BEHIND = '~';

/**
 * A checkpoint of the topic, behind the last decision that it signs. Anybody who may write to the topic can repeat one with
 * another ID or time, so that neither is believed: each could hide a decision from the answers.
 */
export function stagedCheckpoint({ log, tree }: StoredCheckpoint, event: string): Staged {
  const id = `${log}/${tree.size}`;
  return { log, sequence: tree.size, time: BEHIND, id, subject: checkpointSubject(log), event };
}

/** Without it later ones prove the same: it keeps nothing back, and is dropped unless it comes at its place. */
export function judgeCheckpoint(state: TopicIndexState, row: Staged): Judgement & { readonly row?: Staged } {
  const last = state.chains[row.log];
  const checkpoint = parseCheckpointEvent(parseJson(row.event));
  if (last?.sequence !== row.sequence || checkpoint === undefined) return { verdict: 'drop', state };
  const { id } = row;
  const { time } = last;
  const event = JSON.stringify(toCheckpointEvent({ ...checkpoint, id, time }));
  return { verdict: 'take', state, row: { ...row, time, event } };
}

/** Adds a time in which decisions are missing. */
export function withGap(state: TopicIndexState, gap: Gap): TopicIndexState {
  const gaps = [...state.gaps, gap].toSorted((a, b) => compareText(a.after, b.after));
  if (gaps.length <= MAX_GAPS) return { ...state, gaps };
  // The two oldest become one.
  const [first = gap, second = gap, ...others] = gaps;
  const [, until = first.until] = [first.until, second.until].toSorted();
  return { ...state, gaps: [{ after: first.after, until }, ...others] };
}

/** The log waits for nothing any more. */
export function withoutHole(state: TopicIndexState, log: string): TopicIndexState {
  if (state.holes[log] === undefined) return state;
  const { [log]: _, ...holes } = state.holes;
  return { ...state, holes };
}

/** A decision that was given up as missing may come after all: the answers name its gap already, and the index has gone on. */
function late(state: TopicIndexState, row: Staged, { missing }: Link): Judgement {
  if (missing === undefined || row.sequence < missing.from || row.sequence > missing.to)
    return broken(state, row);
  const isInGap = state.gaps.some(({ after, until }) => after <= row.time && row.time <= until);
  return {
    verdict: 'drop',
    state: isInGap ? state : withGap(state, { after: row.time, until: row.time }),
    ...(isInGap ? {} : { fault: 'gap' }),
  };
}

type Link = TopicIndexState['chains'][string];

/** Kafka had deleted what is missing before this decision when the index began. */
function isDeleted(
  { begin = 'whole' }: TopicIndexState,
  { time }: Staged,
  last: Link | undefined,
  isOnce: boolean,
): boolean {
  if (begin === 'whole' || (last !== undefined && last.time > begin)) return false;
  // A copy has several owners, and one may have decided nothing for long after another's beginning.
  return isOnce || time <= begin;
}

/**
 * It is not indexed: in the place of another decision it would change what the others say. The hole of its log stays, so that
 * what waits behind it is dropped as well, without a wait for each.
 */
function broken(state: TopicIndexState, { id, time }: Staged): Judgement {
  return {
    verdict: 'drop',
    state: { ...state, broken: state.broken ?? { id, time } },
    fault: 'broken',
  };
}
