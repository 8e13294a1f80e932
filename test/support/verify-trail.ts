import type { NoteVerifier } from '../../src/decisions/signed-note.js';
import type { TrailRecord } from '../../src/decisions/trail-record.js';
import { type TrailReport, TrailVerification } from '../../src/decisions/verify-trail.js';

export interface VerifyOptions {
  readonly verifiers?: readonly NoteVerifier[];
}

/** Verifies records that are all in memory. */
export function verifyTrail(records: Iterable<TrailRecord>, { verifiers }: VerifyOptions = {}): TrailReport {
  const verification = new TrailVerification(verifiers);
  for (const record of records) verification.add(record);
  return verification.report();
}
