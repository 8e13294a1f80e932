import { ulid } from 'ulid';
import { isoInstant } from '../clock.js';
import { messageOf } from '../errors.js';
import type { KeyValueStore } from '../queue/key-value-store.js';
import type { Runtime } from '../runtime.js';
import type { ChainHead } from './chain.js';
import { originOf, signCheckpoint } from './checkpoint.js';
import type { DecisionLog } from './log.js';
import type { KeptNote } from './publication.js';
import type { NoteSigner } from './signed-note.js';

interface CheckpointsDeps extends Runtime {
  readonly log: DecisionLog;
  readonly keyValues: KeyValueStore;
  readonly signer: () => NoteSigner;
  readonly owner: string;
  readonly kept?: KeptNote;
}

/** How often the end of the chain is signed, if it moved. */
const EVERY_MS = 60_000;
const SIGNED = 'relay/signed';

/** Signs the tree of the log every minute with changes, and at a clean stop: for proofs about one decision, and to keep elsewhere. */
export class Checkpoints {
  readonly #deps: CheckpointsDeps;
  /** `log size` of the last checkpoint; undefined until it is read. */
  #signed: string | undefined;
  #signedAt = Number.NEGATIVE_INFINITY;
  #hasFailed = false;

  constructor(deps: CheckpointsDeps) {
    this.#deps = deps;
  }

  /** Signs if a minute has passed. Never throws: the next call tries again. */
  async signIfDue(head: ChainHead | undefined): Promise<void> {
    const now = this.#deps.clock.now();
    // A clock that was set back must not keep the next one away.
    if (Math.abs(now - this.#signedAt) >= EVERY_MS) await this.sign(head);
  }

  /** Signs the head unless it is signed. Never throws: the failure is logged and counted. */
  async sign(head: ChainHead | undefined): Promise<void> {
    const { log, keyValues, signer, owner, kept, clock, logger, metrics } = this.#deps;
    if (head === undefined || head.tree.size === 0) return;
    this.#signedAt = clock.now();
    const name = `${head.log} ${head.tree.size}`;
    try {
      this.#signed ??= (await keyValues.get(SIGNED)) ?? '';
      if (this.#signed === name) return;
      const note = signCheckpoint(signer(), originOf(owner, head.log), head);
      await log.appendCheckpoint({
        id: ulid(),
        time: isoInstant(clock),
        source: `scopemesh/${owner}`,
        log: head.log,
        note,
        tree: head.tree,
      });
      await kept?.write(note);
      await keyValues.set(SIGNED, name);
      this.#signed = name;
      if (this.#hasFailed)
        logger.info({ size: head.tree.size }, 'checkpoints of the decision log are written again');
      this.#hasFailed = false;
    } catch (error) {
      metrics.count('scopemesh_checkpoint_failures_total');
      if (!this.#hasFailed)
        logger.warn(
          { error: messageOf(error) },
          'the checkpoint of the decision log could not be written; scopemesh tries again in a minute',
        );
      this.#hasFailed = true;
    }
  }
}
