import { formerLogIn } from './checkpoint.js';
import { placeOf, type TrailRecord } from './trail-record.js';

/** What is left of one part of a log (a partition of a topic) whose oldest events were deleted. */
interface CutPart {
  /** Its first event; undefined if nothing is left. */
  readonly first: TrailRecord | undefined;
}

/**
 * A topic deletes old events partition by partition, so its beginning has gaps. Leaves out what is before the first checkpoint
 * after which no gap is left that such a deletion explains, or before the log that follows one whose end was deleted: from there
 * on it can be verified. A gap that no part explains stays, so that the verification finds it. `items` are in the order of the
 * chain.
 */
export function fromFirstWholeCheckpoint<T>(
  items: readonly T[],
  recordOf: (item: T) => TrailRecord,
  cut: readonly CutPart[],
): readonly T[] {
  const records = items.map(recordOf);
  const places = records.map(placeOf);
  const logs = [...new Set(places.flatMap((place) => place?.log ?? []))];
  let begin = 0;
  for (const [rank, log] of logs.entries()) {
    const gapEnd = lastExplainedGap(records, log, deletedBelow(log, cut));
    if (gapEnd === 0) continue;
    const checkpoint = records.findIndex(
      (each) =>
        each.kind === 'checkpoint' && each.checkpoint.log === log && each.checkpoint.tree.size >= gapEnd,
    );
    const next = places.findIndex((place) => place?.log === logs[rank + 1]);
    if (checkpoint !== -1) begin = checkpoint;
    else if (rank + 1 < logs.length) begin = next;
  }
  return items.filter((_, at) => at >= begin || places[at] === undefined);
}

/** Decisions of the log with a lower number may be deleted. The names of logs are ULIDs, which sort by time. */
function deletedBelow(log: string, cut: readonly CutPart[]): number {
  return Math.max(
    ...cut.map(({ first }) => {
      const place = first && placeOf(first);
      if (place === undefined) return Number.POSITIVE_INFINITY;
      if (place.log === log) return place.at;
      return place.log > log ? Number.POSITIVE_INFINITY : 0;
    }),
  );
}

/** The last number of the last gap that is below the limit; 0 if there is none. */
function lastExplainedGap(records: readonly TrailRecord[], log: string, limit: number): number {
  const ends = records.flatMap((each) => (each.kind === 'checkpoint' ? signedEndIn(each, log) : []));
  // The note with which it begins was deleted alone.
  let [next, gapEnd] = [1, ends.includes(0) || limit < 1 ? 0 : 1];
  const see = (sequence: number) => {
    if (sequence > next && sequence - 1 < limit) gapEnd = sequence - 1;
    next = Math.max(next, sequence + 1);
  };
  for (const record of records)
    if (record.kind === 'decision' && record.link.log === log) see(record.link.sequence);
  see(Math.max(0, ...ends) + 1);
  return gapEnd;
}

/** How many decisions of the log a note signs, or the first note of the log that follows it. */
function signedEndIn(
  { checkpoint }: Extract<TrailRecord, { kind: 'checkpoint' }>,
  log: string,
): readonly number[] {
  if (checkpoint.log === log) return [checkpoint.tree.size];
  const former = formerLogIn(checkpoint.note);
  return former?.log === log ? [former.size] : [];
}
