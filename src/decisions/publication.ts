import { z } from 'zod';
import type { Logger, Metrics } from '../observe.js';
import type { Journal } from '../queue/journal.js';
import type { KeyValueStore } from '../queue/key-value-store.js';
import type { DecisionLog } from './log.js';

export interface PublicationDeps {
  readonly journal: Journal;
  readonly log: DecisionLog;
  readonly keyValues: KeyValueStore;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

const BATCH = 500;
const INFLIGHT = 'relay/inflight';
const Inflight = z.object({ position: z.string(), ids: z.array(z.string()) });
/** After so many decisions the position is read anew, which bounds what must be read back after a failure. */
const POSITION_LIFE = 5_000;

/**
 * Before a batch is sent, its ids are noted together with a position before which the log cannot hold them. After a
 * failure, or in the process that follows one that died, the log is asked which of them stand: whatever the answer
 * to the sending was, and whether or not it came.
 */
export class Publication {
  readonly #deps: PublicationDeps;
  #isInDoubt = true;
  #position: string | undefined;
  #sentSince = 0;

  constructor(deps: PublicationDeps) {
    this.#deps = deps;
  }

  /** Resolves with how many were moved; 0 means that the outbox was empty. */
  async moveBatch(): Promise<number> {
    const { journal, log, keyValues, metrics } = this.#deps;
    if (this.#isInDoubt) await this.#settleDoubt();
    const batch = await journal.outbox(BATCH);
    const length = batch.length < BATCH ? batch.length : (await journal.overview()).outboxLength;
    metrics.gauge('scopemesh_outbox_decisions', length);
    if (batch.length === 0) return 0;
    this.#isInDoubt = true;
    const ids = batch.map((decision) => decision.id);
    await keyValues.set(INFLIGHT, JSON.stringify({ position: await this.#positionFor(ids.length), ids }));
    await log.append(batch);
    await journal.published(ids);
    this.#isInDoubt = false;
    metrics.gauge('scopemesh_outbox_decisions', length - batch.length);
    return batch.length;
  }

  /** Tells the length of the outbox while nothing can be moved. */
  async measure(): Promise<void> {
    const { outboxLength } = await this.#deps.journal.overview();
    this.#deps.metrics.gauge('scopemesh_outbox_decisions', outboxLength);
  }

  /**
   * First makes sure that the log can be written, which creates a missing topic. Then shuts out whoever wrote before
   * (a relay on another machine may still be at it while this one starts), and only then looks what that one noted:
   * nothing noted later can get into the log.
   */
  async #settleDoubt(): Promise<void> {
    const { journal, log, keyValues, logger } = this.#deps;
    await log.check();
    const position = await log.position();
    await log.contains([], position);
    const noted = parseInflight(await keyValues.get(INFLIGHT));
    const waiting = new Set((await journal.outbox(BATCH)).map((decision) => decision.id));
    // A batch is noted when it is at the head of the outbox; what is gone from there was found published before.
    const doubtful = noted?.ids.filter((id) => waiting.has(id)) ?? [];
    if (noted !== undefined && doubtful.length > 0) {
      const present = await log.contains(doubtful, noted.position);
      if (present.size > 0) await journal.published([...present]);
      const fields = { doubtful: doubtful.length, present: present.size };
      logger.debug(fields, 'checked which decisions of the last batch are in the log');
    }
    this.#position = position;
    this.#sentSince = 0;
    this.#isInDoubt = false;
  }

  async #positionFor(count: number): Promise<string> {
    if (this.#position === undefined || this.#sentSince >= POSITION_LIFE) {
      this.#position = await this.#deps.log.position();
      this.#sentSince = 0;
    }
    this.#sentSince += count;
    return this.#position;
  }
}

function parseInflight(text: string | undefined): z.infer<typeof Inflight> | undefined {
  return text === undefined ? undefined : Inflight.parse(JSON.parse(text));
}
