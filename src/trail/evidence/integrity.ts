import type { TrailReport } from '../../decisions/verify-trail.js';

/** What `decisions verify` says of the whole log. */
export interface Integrity extends TrailReport {
  /** Whether signatures were checked with a public key. */
  readonly signaturesChecked: boolean;
  readonly verified: boolean;
}
