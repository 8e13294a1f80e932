import { placeOf, type TrailRecord } from './trail-record.js';

/** What is left of one part of a log (a partition of a topic) whose oldest events were deleted. */
export interface CutPart {
  /** Its first event; undefined if nothing is left. */
  readonly first: TrailRecord | undefined;
}

/**
 * A topic deletes old events partition by partition, so its beginning has gaps. Leaves out what is before the first checkpoint
 * after which no gap is left that such a deletion explains: from there on the log can be verified. A gap that no part explains
 * stays, so that the verification finds it. `items` are in the order of the chain.
 */
export function fromFirstWholeCheckpoint<T>(
  items: readonly T[],
  recordOf: (item: T) => TrailRecord,
  cut: readonly CutPart[],
): readonly T[] {
  if (cut.length === 0) return items;
  const begins = new Map<string, number>();
  for (const log of new Set(items.flatMap((item) => placeOf(recordOf(item))?.log ?? []))) {
    const gapEnd = lastExplainedGap(items, recordOf, log, deletedBelow(log, cut));
    if (gapEnd > 0) begins.set(log, firstCheckpoint(items, recordOf, log, gapEnd));
  }
  return items.filter((item) => {
    const place = placeOf(recordOf(item));
    return place === undefined || place.at >= (begins.get(place.log) ?? 0);
  });
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
function lastExplainedGap<T>(
  items: readonly T[],
  recordOf: (item: T) => TrailRecord,
  log: string,
  limit: number,
): number {
  const begins = items
    .map(recordOf)
    .some((each) => each.kind === 'checkpoint' && placeOf(each)?.at === 0.5 && each.checkpoint.log === log);
  // The note with which it begins was deleted alone.
  let [next, gapEnd] = [1, begins || limit < 1 ? 0 : 1];
  for (const item of items) {
    const record = recordOf(item);
    if (record.kind !== 'decision' || record.link.log !== log) continue;
    const { sequence } = record.link;
    if (sequence > next && sequence - 1 < limit) gapEnd = sequence - 1;
    next = Math.max(next, sequence + 1);
  }
  return gapEnd;
}

/** The place of the first checkpoint that signs so many decisions; 0 if there is none. */
function firstCheckpoint<T>(
  items: readonly T[],
  recordOf: (item: T) => TrailRecord,
  log: string,
  size: number,
): number {
  const found = items
    .map(recordOf)
    .find(
      (each) =>
        each.kind === 'checkpoint' && each.checkpoint.log === log && each.checkpoint.tree.size >= size,
    );
  return found === undefined ? 0 : (placeOf(found)?.at ?? 0);
}
