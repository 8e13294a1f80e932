import type { SyncError } from '../errors.js';
import type { Leader } from '../model/leader.js';

/**
 * - `leads`: this replica leads with this epoch, and every earlier epoch is over. `before`: who led last, as far as known.
 * - `follows`: another replica on the same store leads, or is about to. Without `leader`: it may be over soon.
 * - `refused`: this replica must not lead, and waiting does not help: its store is not the owner's, or not this Consul's.
 */
export type Acquisition =
  | { readonly kind: 'leads'; readonly leader: Leader; readonly before: Leader | undefined }
  | { readonly kind: 'follows'; readonly leader: Leader | undefined }
  | { readonly kind: 'refused'; readonly error: SyncError };

/**
 * Who leads. Throws SyncError: ERR_CONSUL_…, ERR_TIMEOUT and ERR_QUEUE_UNREACHABLE where nothing can be known now, and
 * ERR_CONSUL_DENIED for a missing permission, ERR_LEASE_HELD beside a process that knows no lease.
 */
export interface Lease {
  /** For how long a successful `renew` proves that this replica leads, counted from its call. */
  readonly proofMs: number;
  /** A leader is replaced after it was silent for this long, as far as calls of `acquire` saw. */
  readonly silentMs: number;
  /** Tries to lead, once. A dead leader of the same store is replaced, a living one never. Repeating is safe. */
  acquire(signal: AbortSignal): Promise<Acquisition>;
  /** False if the lease is lost for good: another replica led since. Repeating is safe. */
  renew(epoch: number, signal: AbortSignal): Promise<boolean>;
  /** Lets the next replica lead at once. Never rejects. */
  release(epoch: number): Promise<void>;
}
