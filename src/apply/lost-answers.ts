import type { DraftDecision } from '../model/decision.js';
import { INTERRUPTED, OVERTAKEN, type WriteOutcome } from './settle.js';

/** The object that a draft is about, as Consul has it now. `index` 0: absent. */
export interface Found {
  /** As the draft's `before` and `after` show it. */
  readonly view: unknown;
  readonly index: number;
}

/**
 * How long after its record a write may still reach Consul. A request without an answer is given up after 10 s, and
 * may wait in a proxy, or in a process that was paused, for as long as a replaced leader may.
 */
const ON_ITS_WAY_MS = 30_000;

/** How much longer the request of a draft may be on its way to Consul; 0 if that time is over. */
export function onItsWayMs({ recordedAt }: Pick<DraftDecision, 'recordedAt'>, nowMs: number): number {
  const recorded = Date.parse(recordedAt ?? '');
  // An instant far in the future is from before the clock was set back.
  const isUnderWay = Math.abs(nowMs - recorded) < ON_ITS_WAY_MS;
  return isUnderWay ? ON_ITS_WAY_MS - (nowMs - recorded) : 0;
}

/**
 * What became of each write of one object that a crash or a lost answer left open. A draft that is missing here stays
 * open: its request may still be on its way.
 *
 * | the object now | its index | outcome |
 * |---|---|---|
 * | as the draft wanted it | moved | `applied` |
 * | as it was before | the draft's | open, and once the request's time is over `failed` (`Interrupted`) |
 * | anything else | | `unknown` |
 *
 * At most one of several writes against one index was made: the one that explains most of what Consul has, the latest
 * of equals. The others failed.
 */
export function judgeByIndex(
  drafts: readonly DraftDecision[],
  find: (draft: DraftDecision) => Found,
  nowMs: number,
): ReadonlyMap<DraftDecision, WriteOutcome> {
  const outcomes = new Map<DraftDecision, WriteOutcome>();
  for (const draft of drafts) {
    const outcome = judge(draft, find(draft), nowMs);
    if (outcome !== undefined) outcomes.set(draft, outcome);
  }
  for (const writes of rivalWrites(drafts)) {
    const made = writes
      .filter((write) => write.every((draft) => outcomes.get(draft)?.outcome === 'applied'))
      .reduce<readonly DraftDecision[]>((most, write) => (write.length >= most.length ? write : most), []);
    if (made.length === 0) continue;
    for (const draft of writes.flat()) if (!made.includes(draft)) outcomes.set(draft, OVERTAKEN);
  }
  return outcomes;
}

function judge(draft: DraftDecision, { view, index }: Found, nowMs: number): WriteOutcome | undefined {
  const current = JSON.stringify(view);
  const isMoved = index !== draft.expectedIndex || index === 0;
  if (current === JSON.stringify(draft.after) && isMoved)
    return { outcome: 'applied', ...(index === 0 ? {} : { modifyIndex: index }) };
  if (current === JSON.stringify(draft.before) && index === draft.expectedIndex)
    return onItsWayMs(draft, nowMs) > 0 ? undefined : INTERRUPTED;
  const detail =
    'scopemesh was interrupted at this write, and the entry has changed since: whether it was made cannot be known';
  return { outcome: 'unknown', reason: 'Interrupted', detail };
}

/** The drafts of each write, oldest first, by the index that the writes expected; where several expected the same. */
function rivalWrites(drafts: readonly DraftDecision[]): readonly (readonly (readonly DraftDecision[])[])[] {
  const byIndex = new Map<number, Map<string, DraftDecision[]>>();
  for (const draft of drafts) {
    const writes = byIndex.get(draft.expectedIndex) ?? new Map<string, DraftDecision[]>();
    const id = draft.writeId ?? draft.id;
    byIndex.set(draft.expectedIndex, writes.set(id, [...(writes.get(id) ?? []), draft]));
  }
  return [...byIndex.values()].filter(({ size }) => size > 1).map((writes) => [...writes.values()]);
}
