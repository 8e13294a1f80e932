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
const NO_HOLDS = { limit: 0 };
const INFLIGHT = 'relay/inflight';
const Inflight = z.object({ position: z.string(), ids: z.array(z.string()) });
/** After this many decisions the position is read again, which bounds what must be read after a failure. */
const POSITION_LIFE = 5_000;

/**
 * Moves decisions from the journal to the log, each exactly once. Before a batch is sent, its IDs are stored with a position
 * before which the log cannot contain them. After a failure or a crash, the log is asked which of them it contains,
 * regardless of the answer to the sending.
 */
export class Publication {
  readonly #deps: PublicationDeps;
  #isInDoubt = true;
  #position: string | undefined;
  #sentSince = 0;

  constructor(deps: PublicationDeps) {
    this.#deps = deps;
  }

  /** Resolves with the number of moved decisions; 0 means that the outbox was empty. */
  async moveBatch(): Promise<number> {
    const { journal, log, keyValues, metrics } = this.#deps;
    if (this.#isInDoubt) await this.#settleDoubt();
    const batch = await journal.outbox(BATCH);
    const length = batch.length < BATCH ? batch.length : (await journal.overview(NO_HOLDS)).outboxLength;
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

  /** Updates the metric of the outbox while nothing can be moved. */
  async measure(): Promise<void> {
    const { outboxLength } = await this.#deps.journal.overview(NO_HOLDS);
    this.#deps.metrics.gauge('scopemesh_outbox_decisions', outboxLength);
  }

  /**
   * First makes sure that the log can be written, which creates a missing topic. Then fences earlier writers (a relay on
   * another machine may still be running), and only then reads their stored batch: a batch that is stored later cannot get
   * into the log.
   */
  async #settleDoubt(): Promise<void> {
    const { journal, log, keyValues, logger } = this.#deps;
    await log.check();
    const position = await log.position();
    await log.contains([], position);
    const noted = parseInflight(await keyValues.get(INFLIGHT));
    const waiting = new Set((await journal.outbox(BATCH)).map((decision) => decision.id));
    // A batch is stored while it is at the head of the outbox; IDs that are no longer there are published.
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
