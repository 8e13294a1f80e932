import { Gatherer, shareRead } from '../gather.js';
import type { ClaimRecords, ClaimWrite, RecordResult } from './consul.js';

/** Of one transaction: if it is refused, none of its writes was made. */
const MAX_OPERATIONS = 64;
const operationsOf = ({ do: what }: ClaimWrite) => (what === 'delete' ? 2 : 1);

/**
 * The same records, for many clients at once: what they write at about the same time is one transaction, and one list
 * answers all who read then. The list is the same object for all of them.
 */
export function gatherClaims(claims: ClaimRecords): ClaimRecords {
  const writes = new Gatherer<ClaimWrite, RecordResult>(
    (all, signal) => claims.write(all, signal),
    MAX_OPERATIONS,
    operationsOf,
  );
  return {
    list: shareRead((signal) => claims.list(signal)),
    write: (all, signal) => Promise.all(all.map((write) => writes.ask(write, signal))),
  };
}
