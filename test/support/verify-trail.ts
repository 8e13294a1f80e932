import type { KeptCheckpoint } from '../../src/decisions/checkpoint.js';
import type { NoteVerifier } from '../../src/decisions/signed-note.js';
import type { TrailRecord } from '../../src/decisions/trail-record.js';
import { type TrailReport, TrailVerification } from '../../src/decisions/verify-trail.js';

export interface VerifyOptions {
  readonly verifiers?: readonly NoteVerifier[];
  readonly kept?: KeptCheckpoint | undefined;
}

/** Verifies records that are all in memory. */
export function verifyTrail(
  records: Iterable<TrailRecord>,
  { verifiers, kept }: VerifyOptions = {},
): TrailReport {
  const verification = new TrailVerification(verifiers, kept);
  for (const record of records) verification.add(record);
  return verification.report();
}
