import { setImmediate } from 'node:timers/promises';
import { ulid } from 'ulid';
import { z } from 'zod';
import { isoInstant } from '../clock.js';
import { SyncError } from '../errors.js';
import { compareText } from '../model/compare-text.js';
import type { ChainLink, Decision } from '../model/decision.js';
import type { Journal } from '../queue/journal.js';
import type { KeyValueStore } from '../queue/key-value-store.js';
import type { Runtime } from '../runtime.js';
import { extendSigned } from './batch-proof.js';
import {
  type ChainHead,
  emptyChain,
  type extendChain,
  type FormerLog,
  formatHead,
  parseHead,
  toStoredText,
} from './chain.js';
import { type KeptCheckpoint, originOf, signBeginning } from './checkpoint.js';
import type { DecisionLog } from './log.js';
import type { NoteSigner } from './signed-note.js';

export interface PublicationDeps extends Pick<Runtime, 'logger' | 'metrics' | 'clock' | 'tracing'> {
  readonly owner: string;
  readonly journal: Journal;
  readonly log: DecisionLog;
  readonly keyValues: KeyValueStore;
  /** The key that signs the decisions. What it throws, a batch throws: nothing is published that nobody believes. */
  readonly signer: () => NoteSigner;
  /** Where the newest signed note of the log is kept besides. */
  readonly kept?: KeptNote;
}

/** Outlives the store and the log. */
export interface KeptNote {
  /** Undefined if there is none, or none of the keys signed it. */
  read(): Promise<KeptCheckpoint | undefined>;
  write(note: string): Promise<void>;
}

/** Each batch costs three synced writes, whatever its size. */
export const BATCH = 400;
/** Hashed in one turn of the event loop: a few milliseconds. */
const HASHED_AT_ONCE = 100;
/** Beyond this many characters a batch takes no more: a log that is slow must take it in one step. */
const LARGE_BATCH = 1_000_000;
/** Counting reads every decision that waits, so it is done once in so many full batches. */
const COUNT_EVERY = 10;
const NO_HOLDS = { limit: 0 };
const INFLIGHT = 'relay/inflight';
const INFLIGHT_BATCH = z.object({
  position: z.string(),
  ids: z.array(z.string()),
  /** The ends of the chain before and after the batch. */
  before: z.unknown().transform(parseHead),
  after: z.unknown().transform(parseHead),
});
type InflightBatch = z.infer<typeof INFLIGHT_BATCH>;
/** After this many decisions the position is read again, which bounds what must be read after a failure. */
const POSITION_LIFE = 5_000;

/**
 * Moves decisions from the journal to the log, each exactly once, and links them to a hash chain in this order. Before a
 * batch is sent, its IDs are stored, with the end of the chain before and after it and a position before which the log
 * cannot contain them. After a failure or a crash, the log is asked which of them it contains, regardless of the answer to
 * the sending. The rest is sent with the same links, so the chain neither breaks nor forks.
 */
export class Publication {
  readonly #deps: PublicationDeps;
  #isInDoubt = true;
  #position = '';
  #sentSince = 0;
  #fullBatches = 0;
  /** The stored batch as text; another relay stored any other value. */
  #stored: string | undefined;
  #head: ChainHead = emptyChain(ulid());

  constructor(deps: PublicationDeps) {
    this.#deps = deps;
  }

  /** The end of the chain in the log; undefined while it is not known. */
  get head(): ChainHead | undefined {
    return this.#isInDoubt ? undefined : this.#head;
  }

  /** Moves the first decisions; resolves with how many the outbox had, at most `BATCH`. */
  async moveBatch(): Promise<number> {
    const { journal, log, metrics } = this.#deps;
    if (this.#isInDoubt) await this.#settleDoubt();
    const batch = await journal.outbox(BATCH);
    const isLast = batch.length < BATCH;
    if (isLast) metrics.gauge('scopemesh_outbox_decisions', batch.length);
    else if (this.#fullBatches++ % COUNT_EVERY === 0) await this.measure();
    if (batch.length === 0) return 0;
    const startedAt = this.#deps.clock.now();
    const signer = this.#deps.signer();
    this.#isInDoubt = true;
    const { head, chained } = await this.#extend(batch, signer);
    const ids = chained.map((decision) => decision.id);
    await this.#store({
      position: await this.#positionFor(ids.length),
      ids,
      before: this.#head,
      after: head,
    });
    await this.#begin(this.#head, signer);
    await log.append(chained);
    await journal.published(ids);
    const traces = chained.flatMap(({ cause }) => cause.traceparent ?? []);
    if (traces.length > 0) this.#deps.tracing?.ended('publish', new Set(traces), startedAt);
    this.#head = head;
    this.#isInDoubt = false;
    if (isLast) metrics.gauge('scopemesh_outbox_decisions', batch.length - chained.length);
    return batch.length;
  }

  /** The first of these, in several turns of the event loop, because an event may arrive meanwhile. */
  async #extend(batch: readonly Decision[], signer: NoteSigner): Promise<ReturnType<typeof extendChain>> {
    const chained: Decision[] = [];
    let head = this.#head;
    let length = 0;
    for (let from = 0; from < batch.length && length < LARGE_BATCH; from += HASHED_AT_ONCE) {
      if (from > 0) await setImmediate();
      const part = extendSigned(head, batch.slice(from, from + HASHED_AT_ONCE), signer);
      head = part.head;
      for (const decision of part.chained) {
        chained.push(decision);
        length += toStoredText(decision).length;
      }
    }
    return { head, chained };
  }

  /** Updates the metric of the outbox. */
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
    const { log, keyValues } = this.#deps;
    await log.check();
    const position = await log.position();
    await log.contains([], position);
    this.#stored = await keyValues.get(INFLIGHT);
    const noted = this.#stored === undefined ? undefined : INFLIGHT_BATCH.parse(JSON.parse(this.#stored));
    if (noted === undefined) await this.#beginAnew();
    else {
      this.#head = noted.after;
      await this.#finish(noted);
    }
    await this.#compareWithLog();
    this.#position = position;
    this.#sentSince = 0;
    this.#isInDoubt = false;
  }

  /** A store or a log that was lost, or restored from a backup, would give a number twice or leave a gap. */
  async #compareWithLog(): Promise<void> {
    const { hash, log, tree } = this.#head;
    if (tree.size === 0) return;
    const last = await this.#deps.log.lastLink(log, tree.size);
    if (last === 'unknown' || last?.hash === hash) return;
    await this.#beginAnew({ log, size: tree.size }, last);
  }

  /** Another log begins, which follows the newest one that the store, the log or the kept note know. */
  async #beginAnew(stored?: FormerLog, last?: ChainLink): Promise<void> {
    const { journal, log, kept, logger } = this.#deps;
    const note = await kept?.read();
    const found = last ?? (await log.lastLink(note?.log ?? '', note?.size ?? 0));
    const inLog =
      found === undefined || found === 'unknown' ? undefined : { log: found.log, size: found.sequence };
    const [follows] = [stored, note, inLog]
      .filter((each) => each !== undefined)
      // The names of logs are ULIDs, which sort by time.
      .toSorted((a, b) => compareText(b.log, a.log) || b.size - a.size)
      .map(({ log: name, size }) => ({ log: name, size }));
    this.#head = emptyChain(ulid(), follows);
    if (follows === undefined) return;
    logger.warn(
      { ...follows, found: found ?? null },
      'the decision log does not end where the store says, as after a restore, or if a key signed its end that is not trusted here (decisions.signingKeyFile, trustedKeys): its hash chain begins again',
    );
    // Decisions that an older store publishes again, and that the log has.
    for (;;) {
      const ids = (await journal.outbox(BATCH)).map(({ id }) => id);
      const present = ids.length === 0 ? new Set<string>() : await log.contains(ids, '');
      if (present.size === 0) return;
      await journal.published([...present]);
    }
  }

  /** Signs where a log begins. Repeating is harmless: the note stays the same. */
  async #begin({ log: name, tree, follows }: ChainHead, signer: NoteSigner): Promise<void> {
    if (tree.size > 0) return;
    const { log, owner, kept, clock } = this.#deps;
    const note = signBeginning(signer, originOf(owner, name), follows);
    const source = `scopemesh/${owner}`;
    await log.appendCheckpoint({ id: ulid(), time: isoInstant(clock), source, log: name, note, tree });
    await kept?.write(note);
  }

  /** Sends what the log lacks of the stored batch. */
  async #finish({ ids, position, before }: InflightBatch): Promise<void> {
    const { journal, log, logger } = this.#deps;
    const noted = new Set(ids);
    // A batch is stored while it is at the head of the outbox; IDs that are no longer there are published.
    const doubtful = (await journal.outbox(ids.length)).filter(({ id }) => noted.has(id));
    if (doubtful.length === 0) return;
    const present = await log.contains(
      doubtful.map(({ id }) => id),
      position,
    );
    const fields = { doubtful: doubtful.length, present: present.size };
    logger.debug(fields, 'checked which decisions of the last batch are in the log');
    if (present.size < doubtful.length) {
      const signer = this.#deps.signer();
      const { chained } = extendSigned(before, doubtful, signer);
      await this.#begin(before, signer);
      await log.append(chained.filter(({ id }) => !present.has(id)));
    }
    await journal.published(doubtful.map(({ id }) => id));
  }

  async #store({ before, after, ...batch }: InflightBatch): Promise<void> {
    const text = JSON.stringify({ ...batch, before: formatHead(before), after: formatHead(after) });
    if (!(await this.#deps.keyValues.replace(INFLIGHT, this.#stored, text))) {
      const message =
        'Another process publishes the decisions of this store. Only one relay may run: stop the other one.';
      throw new SyncError('ERR_INTERNAL', message, { retriable: true });
    }
    this.#stored = text;
  }

  async #positionFor(count: number): Promise<string> {
    if (this.#sentSince >= POSITION_LIFE) {
      this.#position = await this.#deps.log.position();
      this.#sentSince = 0;
    }
    this.#sentSince += count;
    return this.#position;
  }
}
