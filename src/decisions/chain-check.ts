import { invalidEvent, type SyncError } from '../errors.js';
import type { ChainLink } from '../model/decision.js';
import { ProofCheck } from './batch-proof.js';
import { createNoteVerifier } from './signed-note.js';
import type { TrailRecord } from './trail-record.js';

/** Checks that decisions follow each other in the chain, from the first one that it sees, and that one of the keys signed each. */
export class ChainCheck {
  readonly #proofs: ProofCheck;
  #last: ChainLink | undefined;

  /** `keys`: the public keys as `trail-key.pub` has them. Throws SyncError ERR_CONFIG. */
  constructor(keys: readonly string[]) {
    this.#proofs = new ProofCheck(keys.map(createNoteVerifier));
  }

  /** Throws SyncError ERR_EVENT_INVALID at the first decision that is changed, missing, moved or not signed. */
  see(record: TrailRecord): void {
    if (record.kind === 'checkpoint') return;
    if (record.kind !== 'decision') throw broken('an event is not one that scopemesh wrote');
    const { id, source, link, isIntact } = record;
    if (!isIntact) throw broken(`decision ${id} does not have the hash that it names`);
    if (!this.#proofs.isProven(source, link)) throw broken(`none of the keys signed decision ${id}`);
    const last = this.#last;
    const isSame = last?.log === link.log;
    if (last !== undefined && !isSame && link.sequence !== 1)
      throw broken(`log ${link.log} does not begin with its first decision but with ${link.sequence}`);
    if (isSame && (link.sequence !== last.sequence + 1 || link.previousHash !== last.hash))
      throw broken(`decision ${id} is number ${link.sequence} and does not continue number ${last.sequence}`);
    this.#last = link;
  }
}

function broken(what: string): SyncError {
  return invalidEvent(`The chain of decisions is broken: ${what}.`);
}
