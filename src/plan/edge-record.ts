import type { IntentionSource, ServiceName } from '../model/intention.js';
import { isOfWrittenEdge } from './last-applied.js';
import { intentionSubject } from './plan.js';

/** The records of one destination, as in `DestinationInput`. */
export interface EdgeRecords {
  readonly lastApplied: ReadonlyMap<string, string>;
  readonly unrecorded: ReadonlySet<string> | undefined;
}

/**
 * Whether scopemesh has a record of writing this marked source. The mark is public text: every writer of an entry can
 * write it. The record of a removed edge counts too: an older snapshot of Consul or a late write may restore the edge.
 */
export function isRecorded(destination: ServiceName, source: IntentionSource, records: EdgeRecords): boolean {
  return hasRecord(intentionSubject(destination, source.name), destination, source, records);
}

function hasRecord(
  subject: string,
  destination: ServiceName,
  source: IntentionSource,
  { lastApplied, unrecorded }: EdgeRecords,
): boolean {
  if (unrecorded !== undefined) return !unrecorded.has(subject);
  return isHere(destination, source) && lastApplied.has(subject);
}

/** Whether the record is of an edge that exists: an edge that scopemesh removed and somebody restored does not count. */
export function isOwnedNow(destination: ServiceName, source: IntentionSource, records: EdgeRecords): boolean {
  const subject = intentionSubject(destination, source.name);
  if (!hasRecord(subject, destination, source, records)) return false;
  return records.unrecorded !== undefined || isOfWrittenEdge(records.lastApplied.get(subject));
}

/** Whether a marked source that equals the desired one must be recorded. */
export function needsRecord(
  destination: ServiceName,
  source: IntentionSource,
  records: EdgeRecords,
): boolean {
  return (
    records.unrecorded === undefined &&
    isHere(destination, source) &&
    !isOwnedNow(destination, source, records)
  );
}

/** A subject does not name the namespace of its source. No opening reaches a source of another one. */
function isHere(destination: ServiceName, source: IntentionSource): boolean {
  return source.namespace === destination.namespace && source.partition === destination.partition;
}
