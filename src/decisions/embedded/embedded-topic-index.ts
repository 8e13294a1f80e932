import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'libsql';
import { z } from 'zod';
import type { Clock } from '../../clock.js';
import { messageOf } from '../../errors.js';
import type { Decision } from '../../model/decision.js';
import type { Logger, Metrics } from '../../observe.js';
import { NO_HASH } from '../chain.js';
import { isOwnedBy } from '../envelope.js';
import { type LogParts, parseLogEvent } from '../log.js';
import type { TopicIndex } from '../topic-index.js';
import { type TrailRecord, toTrailRecord } from '../trail-record.js';
import { DecisionFile, unreachable } from './decision-file.js';
import { beginOf } from './topic-copy.js';
import {
  createIndexTables,
  readIndexState,
  type TopicIndexState,
  writeIndexState,
} from './topic-index-state.js';

export interface EmbeddedTopicIndexOptions {
  /** Where the index is; created if it is missing. */
  readonly directory: string;
  /** A topic may hold the decisions of other owners. */
  readonly owner: string;
  /** How long a decision is kept. */
  readonly keepMs: number;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly clock: Clock;
  /** Called once nothing writes any more. */
  readonly onClosed: () => void;
}

const STAGED = z.object({
  log: z.string(),
  sequence: z.number(),
  time: z.string(),
  id: z.string(),
  subject: z.string(),
  event: z.string(),
});
type Staged = z.output<typeof STAGED>;

/** Rows per transaction: each takes a few milliseconds of the event loop. */
const BATCH = 100;
/** Kafka shows the parts of one transaction at slightly different times, and a broker that restarts much later. */
export const HOLE_PATIENCE_MS = 60_000;
const DELETE_EVERY_MS = 3_600_000;
/** Only this process writes, and readers keep no writer waiting. */
const BUSY_TIMEOUT_MS = 1_000;
/** A store that is lost begins another log. More than this is somebody else's work. */
const MOST_LOGS = 1_000;

/**
 * The index as an embedded log that follows the topic. The partitions of a topic come in any order, so decisions wait on the
 * disk until those before them in the chain are there. One process at a time writes.
 */
export class EmbeddedTopicIndex implements TopicIndex {
  readonly #options: EmbeddedTopicIndexOptions;
  readonly #file: DecisionFile;
  readonly #database: Database.Database;
  #state: TopicIndexState;
  #deletedAt = Number.NEGATIVE_INFINITY;

  constructor(options: EmbeddedTopicIndexOptions) {
    this.#options = options;
    this.#file = new DecisionFile(options.directory);
    const path = join(options.directory, 'decisions.db');
    const database = new Database(path, { timeout: BUSY_TIMEOUT_MS });
    // All of it can be read from the topic again, so no commit waits for the disk.
    database.pragma('synchronous = NORMAL');
    createIndexTables(database);
    chmodSync(path, 0o600);
    this.#database = database;
    this.#state = readIndexState(database);
  }

  get position(): string {
    return this.#state.position;
  }

  get until(): string | undefined {
    return this.#state.until;
  }

  replaced(): void {
    const { until } = this.#state;
    this.#fault(
      'replaced',
      {},
      'the topic of decisions was made again, or is another one: the index reads all of it',
    );
    const gap = until === undefined ? {} : this.#withGap(until, this.#now());
    this.#save({ ...this.#state, position: '', ...gap });
  }

  async take(parts: LogParts, readAt: string, signal: AbortSignal): Promise<boolean> {
    try {
      return await this.#take(parts, readAt, signal);
    } catch (error) {
      throw unreachable(this.#options.directory, error);
    }
  }

  async #take(parts: LogParts, readAt: string, signal: AbortSignal): Promise<boolean> {
    const since = this.#state.position;
    const firsts = await this.#stage(parts, signal);
    if (signal.aborted) return false;
    if (this.#state.begin === undefined) {
      const begin = beginOf(parts.cut, firsts);
      this.#state = { ...this.#state, begin: begin === 'end' ? readAt : begin };
    } else if (since !== '' && parts.cut.length > 0) {
      this.#fault('gap', {}, 'Kafka deleted decisions before the index read them: answers from it say so');
      this.#state = { ...this.#state, ...this.#withGap(this.#state.until, readAt) };
    }
    this.#save({ ...this.#state, position: parts.position() });
    const isComplete = await this.#release(signal);
    if (isComplete) this.#save({ ...this.#state, hole: undefined, until: readAt });
    await this.#deleteOld();
    return isComplete;
  }

  async close(): Promise<void> {
    await this.#file.close();
    if (this.#database.open) this.#database.close();
    this.#options.onClosed();
  }

  /**
   * Stores what was read, and the position with it; but a first read, and a search, begin again after a crash. Resolves with the
   * time of the first decision of each part.
   */
  async #stage({ events, position }: LogParts, signal: AbortSignal): Promise<ReadonlyMap<string, string>> {
    const firsts = new Map<string, string>();
    const isResumable = this.#state.begin !== undefined && this.#state.hole?.isSearched !== true;
    let batch: Staged[] = [];
    const store = async () => {
      const insert = this.#database.prepare<unknown[]>(
        'INSERT OR IGNORE INTO staged VALUES (?, ?, ?, ?, ?, ?)',
      );
      this.#inTransaction(() => {
        for (const { log, sequence, time, id, subject, event } of batch)
          insert.run(log, sequence, time, id, subject, event);
        if (isResumable) this.#save({ ...this.#state, position: position() });
      });
      batch = [];
      await turn();
    };
    for await (const { part, event } of events) {
      if (signal.aborted) break;
      const decision = this.#parse(event);
      if (decision === undefined) continue;
      const { id, time, subject, source, chain } = decision;
      if (!firsts.has(part)) firsts.set(part, time);
      if (!isOwnedBy(this.#options.owner, source)) continue;
      const staged = { log: chain?.log ?? '', sequence: chain?.sequence ?? 0, time, id, subject, event };
      if (this.#isKnown(staged)) continue;
      batch.push(staged);
      if (batch.length === BATCH) await store();
    }
    if (batch.length > 0) await store();
    return firsts;
  }

  #parse(event: string): Decision | undefined {
    try {
      return parseLogEvent(event);
    } catch (error) {
      this.#options.logger.warn({ error: messageOf(error) }, 'skipped an event that is not a decision');
      return undefined;
    }
  }

  /** It was read before, and is in the index or was deleted from it. */
  #isKnown({ log, sequence, time, id }: Staged): boolean {
    const { chains } = this.#state;
    const isPast = log === '' ? Object.keys(chains).length > 0 : sequence <= (chains[log]?.sequence ?? 0);
    return isPast && (time < this.#cutoff() || this.#file.find(id) !== undefined);
  }

  /** Moves decisions into the index, in the order of the chain, up to the first one that is missing. */
  async #release(signal: AbortSignal): Promise<boolean> {
    const page = this.#database.prepare<unknown[]>(
      `SELECT log, sequence, time, id, subject, event FROM staged ORDER BY log, sequence, time, id LIMIT ${BATCH}`,
    );
    const remove = this.#database.prepare<unknown[]>(
      'DELETE FROM staged WHERE (log, sequence, time, id) <= (?, ?, ?, ?)',
    );
    for (;;) {
      if (signal.aborted) return false;
      const rows = page.all().map((row) => STAGED.parse(row));
      const accepted: Staged[] = [];
      const before = this.#state;
      let done: Staged | undefined;
      for (const row of rows) {
        const verdict = this.#judge(row);
        if (verdict === 'wait') break;
        if (verdict === 'take') accepted.push(row);
        done = row;
      }
      if (accepted.length > 0) {
        // Those that a crash left here and there are stored once.
        const state = this.#state;
        this.#state = before;
        await this.#file.append(accepted);
        this.#state = state;
      }
      this.#inTransaction(() => {
        if (done !== undefined) remove.run(done.log, done.sequence, done.time, done.id);
        this.#save(this.#state);
      });
      if (rows.length === 0) return true;
      if (done !== rows.at(-1)) return false;
      await turn();
    }
  }

  #judge(row: Staged): 'take' | 'drop' | 'wait' {
    if (this.#isKnown(row)) return 'drop';
    const { chains } = this.#state;
    if (row.log === '') return Object.keys(chains).length === 0 ? 'take' : this.#broken(row);
    const last = chains[row.log];
    const record = toTrailRecord(row.event);
    if (!isLinked(record, last) || row.sequence <= (last?.sequence ?? 0)) return this.#broken(row);
    if (last === undefined && Object.keys(chains).length >= MOST_LOGS) return this.#broken(row);
    if (
      row.sequence > (last?.sequence ?? 0) + 1 &&
      !this.#isDeleted(row) &&
      !this.#isGivenUp(row, last?.time)
    )
      return 'wait';
    const { sequence, time } = row;
    this.#state = {
      ...this.#state,
      chains: { ...chains, [row.log]: { sequence, time, hash: record.link.hash } },
    };
    return 'take';
  }

  /** The topic had begun after what is missing before this decision. */
  #isDeleted({ time }: Staged): boolean {
    const { begin } = this.#state;
    return begin !== undefined && begin !== 'whole' && time <= begin;
  }

  /** What is missing before a decision is waited for, and searched for once in the whole topic. */
  #isGivenUp({ id, time }: Staged, after: string | undefined): boolean {
    const now = this.#options.clock.now();
    const hole = this.#state.hole?.id === id ? this.#state.hole : undefined;
    if (hole?.isSearched) {
      this.#fault(
        'gap',
        { id },
        'decisions before this one are missing in the topic: answers from the index say so',
      );
      this.#state = { ...this.#state, ...this.#withGap(after, time) };
      return true;
    }
    if (hole === undefined) this.#state = { ...this.#state, hole: { id, since: now, isSearched: false } };
    else if (now - hole.since >= HOLE_PATIENCE_MS)
      this.#state = { ...this.#state, position: '', hole: { ...hole, isSearched: true } };
    return false;
  }

  /** It is not indexed: in the place of another decision it would change what the others say. */
  #broken({ id, time }: Staged): 'drop' {
    this.#fault(
      'broken',
      { id },
      'a decision of the topic does not continue the chain: run scopemesh decisions verify',
    );
    this.#state = { ...this.#state, broken: this.#state.broken ?? { id, time } };
    return 'drop';
  }

  #withGap(after: string | undefined, until: string): Pick<TopicIndexState, 'gap'> {
    const { gap } = this.#state;
    const begin = after ?? until;
    return {
      gap: {
        after: gap !== undefined && gap.after < begin ? gap.after : begin,
        until: gap !== undefined && gap.until > until ? gap.until : until,
      },
    };
  }

  #fault(kind: 'gap' | 'broken' | 'replaced', fields: object, message: string): void {
    const { logger, metrics } = this.#options;
    metrics.count('scopemesh_trail_index_faults_total', { kind });
    logger.error(fields, message);
  }

  async #deleteOld(): Promise<void> {
    const now = this.#options.clock.now();
    if (Math.abs(now - this.#deletedAt) < DELETE_EVERY_MS) return;
    this.#deletedAt = now;
    await this.#file.deleteBefore(this.#cutoff());
  }

  #cutoff(): string {
    return new Date(this.#options.clock.now() - this.#options.keepMs).toISOString();
  }

  #now(): string {
    return new Date(this.#options.clock.now()).toISOString();
  }

  #save(state: TopicIndexState): void {
    writeIndexState(this.#database, state);
    this.#state = state;
  }

  #inTransaction(work: () => void): void {
    this.#database.exec('BEGIN IMMEDIATE');
    try {
      work();
      this.#database.exec('COMMIT');
    } catch (error) {
      if (this.#database.inTransaction) this.#database.exec('ROLLBACK');
      throw error;
    }
  }
}

/** Whether it is as it was published, and follows the decision before it if that is the last one. */
function isLinked(
  record: TrailRecord,
  last: TopicIndexState['chains'][string] | undefined,
): record is Extract<TrailRecord, { kind: 'decision' }> {
  if (record.kind !== 'decision' || !record.isIntact) return false;
  const { sequence, previousHash } = record.link;
  if (sequence === 1) return previousHash === NO_HASH;
  return last === undefined || sequence !== last.sequence + 1 || previousHash === last.hash;
}

const turn = () => new Promise((resolve) => setImmediate(resolve));
