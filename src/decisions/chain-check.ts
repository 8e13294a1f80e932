import { invalidEvent, type SyncError } from '../errors.js';
import type { ChainLink } from '../model/decision.js';
import type { TrailRecord } from './trail-record.js';

/**
 * Checks that decisions follow each other in the chain, from the first one that it sees. It checks no signature: that is what
 * `scopemesh decisions verify` does.
 */
export class ChainCheck {
  #last: ChainLink | undefined;

  /** Throws SyncError ERR_EVENT_INVALID at the first decision that is changed, missing or moved. */
  see(record: TrailRecord): void {
    if (record.kind === 'checkpoint') return;
    if (record.kind === 'unreadable') throw broken('an event is not one that scopemesh wrote');
    if (record.kind === 'unchained') {
      // Decisions of a version without a chain are before all others.
      if (this.#last !== undefined) throw broken(`decision ${record.id} has no place in the chain`);
      return;
    }
    const { id, link, isIntact } = record;
    if (!isIntact) throw broken(`decision ${id} does not have the hash that it names`);
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
