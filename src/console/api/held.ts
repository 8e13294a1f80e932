import type { Journal, RecordedHold } from '../../queue/journal.js';

/** Records in one piece of work. */
const IN_ONE_PIECE = 2_000;

/** Every recorded hold, from the memory of the leader. */
export function* heldIn(
  records: Awaited<ReturnType<Journal['readAll']>>,
): Generator<void, readonly (RecordedHold & { readonly key: string })[]> {
  const found: (RecordedHold & { readonly key: string })[] = [];
  let left = IN_ONE_PIECE;
  for (const [key, { holds }] of records) {
    for (const hold of holds.values()) found.push({ ...hold, key });
    if (--left > 0) continue;
    left = IN_ONE_PIECE;
    yield;
  }
  return found;
}
