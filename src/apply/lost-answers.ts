import type { DraftDecision } from '../model/decision.js';
import { INTERRUPTED, OVERTAKEN, type WriteOutcome } from './settle.js';

/** The object that a draft is about, as Consul has it now. */
export interface ObservedObject {
  /** Whether the object is as a draft's `before` or `after` shows it. */
  readonly isNow: (view: unknown) => boolean;
  /** 0: absent. Undefined: the object has no index that a write expects. */
  readonly index?: number;
}

/** How the writes of one target are judged. */
export interface WriteEvidence {
  /** What Consul has. Or what became of the draft, where something else says it. */
  readonly find: (draft: DraftDecision) => ObservedObject | WriteOutcome;
  /** Writes with the same value exclude each other. By default these are the writes against one index. */
  readonly rivalOf?: (draft: DraftDecision) => unknown;
  /** A draft whose request may still come fails at once: no compare-and-set keeps a later write from being undone by it. */
  readonly isImpatient?: boolean;
}

/**
 * How long after its record a write may still reach Consul. A request without an answer is given up after 10 s, and
 * may wait in a proxy, or in a process that was paused, for as long as a replaced leader may.
 */
const IN_FLIGHT_MS = 30_000;

/** How much longer the request of a draft may be on its way to Consul; 0 if that time is over. */
export function inFlightMs({ recordedAt }: Pick<DraftDecision, 'recordedAt'>, nowMs: number): number {
  const recorded = Date.parse(recordedAt ?? '');
  // An instant far in the future is from before the clock was set back.
  const isUnderWay = Math.abs(nowMs - recorded) < IN_FLIGHT_MS;
  return isUnderWay ? IN_FLIGHT_MS - (nowMs - recorded) : 0;
}

/**
 * What became of each write that a crash or a lost answer left open. A draft that is missing here stays open: its request
 * may still be on its way.
 *
 * | the object now | its index, if it has one | outcome |
 * |---|---|---|
 * | as the draft wanted it | moved | `applied` |
 * | as it was before | the draft's | open, and once the request's time is over `failed` (`Interrupted`) |
 * | anything else | | `unknown` |
 *
 * At most one of several rival writes was made: the one that explains most of what Consul has, the latest of equals. The
 * others failed.
 */
export function judgeWrites(
  drafts: readonly DraftDecision[],
  { find, rivalOf = ({ expectedIndex }) => expectedIndex, isImpatient = false }: WriteEvidence,
  nowMs: number,
): ReadonlyMap<DraftDecision, WriteOutcome> {
  const outcomes = new Map<DraftDecision, WriteOutcome>();
  for (const draft of drafts) {
    const found = find(draft);
    const outcome = 'isNow' in found ? judge(draft, found, isImpatient, nowMs) : found;
    if (outcome !== undefined) outcomes.set(draft, outcome);
  }
  for (const writes of rivalWrites(drafts, rivalOf)) {
    const made = writes
      .filter((write) => write.every((draft) => outcomes.get(draft)?.outcome === 'applied'))
      .reduce<readonly DraftDecision[]>((most, write) => (write.length >= most.length ? write : most), []);
    if (made.length === 0) continue;
    for (const draft of writes.flat()) if (!made.includes(draft)) outcomes.set(draft, OVERTAKEN);
  }
  return outcomes;
}

function judge(
  draft: DraftDecision,
  { isNow, index }: ObservedObject,
  isImpatient: boolean,
  nowMs: number,
): WriteOutcome | undefined {
  const { after, before, expectedIndex } = draft;
  const isMoved = index === undefined || index === 0 || index !== expectedIndex;
  if (isMoved && isNow(after))
    return { outcome: 'applied', ...(index === undefined || index === 0 ? {} : { modifyIndex: index }) };
  if ((index === undefined || index === expectedIndex) && isNow(before))
    return inFlightMs(draft, nowMs) > 0 && !isImpatient ? undefined : INTERRUPTED;
  const detail =
    'scopemesh was interrupted at this write, and the object has changed since: whether it was made cannot be known';
  return { outcome: 'unknown', reason: 'Interrupted', detail };
}

/** The drafts of each write, oldest first, where several writes are rivals. */
function rivalWrites(
  drafts: readonly DraftDecision[],
  rivalOf: (draft: DraftDecision) => unknown,
): readonly (readonly (readonly DraftDecision[])[])[] {
  const rivals = new Map<unknown, Map<string, DraftDecision[]>>();
  for (const draft of drafts) {
    const writes = rivals.get(rivalOf(draft)) ?? new Map<string, DraftDecision[]>();
    const id = draft.writeId ?? draft.id;
    rivals.set(rivalOf(draft), writes.set(id, [...(writes.get(id) ?? []), draft]));
  }
  return [...rivals.values()].filter(({ size }) => size > 1).map((writes) => [...writes.values()]);
}
