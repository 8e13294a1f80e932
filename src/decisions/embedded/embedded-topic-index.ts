import { join } from 'node:path';
import Database from 'libsql';
import { isoInstant } from '../../clock.js';
import type { Runtime } from '../../runtime.js';
import { inTransaction, Queries } from '../../sqlite.js';
import { isProven, ProofCheck } from '../batch-proof.js';
import { isSigned } from '../checkpoint.js';
import { isOwnedBy, ownerIn, parseCloudEvent } from '../envelope.js';
import type { LogParts } from '../log.js';
import type { NoteVerifier } from '../signed-note.js';
import { toTrailRecord } from '../trail-record.js';
import type { TopicIndex } from '../update-topic-index.js';
import { DecisionFile, unreachable } from './decision-file.js';
import {
  BEHIND,
  type Judgement,
  judge,
  judgeCheckpoint,
  MAX_HELD,
  STAGED,
  type Staged,
  stagedCheckpoint,
  withGap,
  withoutHole,
} from './topic-index-judge.js';
import { readIndexState, type TopicIndexState } from './topic-index-state.js';

interface EmbeddedTopicIndexOptions extends Runtime {
  /** Where the index is; created if it is missing. */
  readonly directory: string;
  /** A topic may hold the decisions of other owners; absent: they are wanted too. */
  readonly owner?: string;
  /** The keys whose decisions count. What none of them signed is left out and counted. */
  readonly verifiers: readonly NoteVerifier[];
  /** How long a decision is kept; absent: for ever. */
  readonly keepMs?: number;
  /** It takes one read and never another: it waits for nothing, rests for nobody and is complete up to no instant. */
  readonly isOnce?: boolean;
  /** Called once nothing writes any more. */
  readonly onClosed?: () => void;
}

/** Rows per transaction: each takes a few milliseconds of the event loop. */
const BATCH = 100;
const MAX_PAUSE_MS = 1_000;
/** Only this process writes, and readers keep no writer waiting. */
const BUSY_TIMEOUT_MS = 1_000;

const FAULTS = {
  unproven:
    'the topic has messages that no key signed which this replica trusts: they are left out. If another replica signed them, give both the same decisions.signingKeyFile; after a change of the key, add the other trail-key.pub to decisions.trustedKeys',
  repeated:
    'the topic has decisions of a log that ended before what the index has: they are left out, because they would come after what is newer. Somebody wrote them again, or their key is trusted only now. For the second, stop the daemon, delete the index and start the daemon',
  gap: 'decisions before this one are missing in the topic: answers may lack what they changed',
  broken: 'a decision of the topic does not continue the chain: run scopemesh decisions verify',
} as const;

/**
 * The index as an embedded log that follows the topic. The partitions of a topic come in any order, so decisions wait on the
 * disk until those before them in the chain are there. One process at a time writes.
 */
export class EmbeddedTopicIndex implements TopicIndex {
  readonly #options: EmbeddedTopicIndexOptions;
  readonly #proofs: ProofCheck;
  readonly #file: DecisionFile;
  readonly #database: Database.Database;
  readonly #queries: Queries;
  #state: TopicIndexState;

  constructor(options: EmbeddedTopicIndexOptions) {
    this.#options = options;
    this.#proofs = new ProofCheck(options.verifiers);
    // All of it can be read from the topic again, so no commit waits for the disk.
    this.#file = new DecisionFile(options.directory, 'NORMAL');
    const path = join(options.directory, 'decisions.db');
    const database = new Database(path, { timeout: BUSY_TIMEOUT_MS });
    database.pragma('synchronous = NORMAL');
    this.#database = database;
    this.#queries = new Queries(database);
    const state = readIndexState(this.#queries);
    const keys = options.verifiers.map(({ key }) => key).toSorted();
    // What another key signed was left out so far.
    const isNewTrust = state.keys !== undefined && keys.some((key) => !state.keys?.includes(key));
    this.#state = { ...state, keys, ...(isNewTrust ? { position: '' } : {}) };
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
    const state = { ...this.#state, position: '' };
    this.#save(
      until === undefined ? state : withGap(state, { after: until, until: isoInstant(this.#options.clock) }),
    );
  }

  async take(parts: LogParts, readAt: string, signal: AbortSignal): Promise<void> {
    await this.#take(parts, readAt, signal).catch((error: unknown) => {
      throw unreachable(this.#options.directory, error);
    });
  }

  async #take(parts: LogParts, readAt: string, signal: AbortSignal): Promise<void> {
    const since = this.#state.position;
    const firsts = await this.#stage(parts);
    if (signal.aborted) return;
    if (this.#state.begin === undefined) {
      const begin = beginOf(parts.cut, firsts);
      this.#state = { ...this.#state, begin: begin === 'end' && !this.#options.isOnce ? readAt : begin };
    } else if (since !== '' && parts.cut.length > 0) {
      this.#fault('gap', {}, 'Kafka deleted decisions before the index read them: answers from it say so');
      this.#state = withGap(this.#state, { after: this.#state.until ?? readAt, until: readAt });
    }
    this.#save({ ...this.#state, position: parts.position() });
    await this.#release(signal);
    if (signal.aborted || this.#options.isOnce) return;
    const gaps = this.#state.gaps.filter(({ until }) => until >= this.#cutoff());
    this.#save({ ...this.#state, gaps, until: readAt });
    await this.#file.deleteOld(this.#options.clock.now(), this.#cutoff());
  }

  async close(): Promise<void> {
    await this.#file.close();
    if (this.#database.open) this.#queries.close();
    this.#options.onClosed?.();
  }

  /**
   * Stores what was read, and the position with it; but a first read begins again after a crash. Resolves with the time of the
   * first decision of the owner in each part.
   */
  async #stage({ events, position }: LogParts): Promise<ReadonlyMap<string, string>> {
    const firsts = new Map<string, string>();
    const left = { unproven: 0, repeated: 0 };
    const bound = this.#bound();
    const isResumable = this.#state.begin !== undefined;
    const { owner } = this.#options;
    // Another owner whose key is trusted too could go on in a log.
    const nameOf = (log: string, by: string) => (owner === undefined ? `${ownerIn(by)}/${log}` : log);
    let batch: Staged[] = [];
    let begun = this.#options.clock.now();
    const store = async () => {
      const insert = this.#database.prepare<unknown[]>(
        'INSERT OR IGNORE INTO staged VALUES (?, ?, ?, ?, ?, ?)',
      );
      inTransaction(this.#database, () => {
        for (const { log, sequence, time, id, subject, event } of batch)
          insert.run(log, sequence, time, id, subject, event);
        if (isResumable) this.#save({ ...this.#state, position: position() });
      });
      batch = [];
      await this.#rest(begun);
      begun = this.#options.clock.now();
    };
    for await (const { part, event } of events) {
      const record = toTrailRecord(event);
      if (record.kind === 'checkpoint') {
        const { log, note } = record.checkpoint;
        const staged = { ...stagedCheckpoint(record.checkpoint, event), log: nameOf(log, note) };
        if (!isSigned(this.#options.verifiers, record.checkpoint) || this.#isKnown(this.#state, staged))
          continue;
        batch.push(staged);
        if (batch.length === BATCH) await store();
        continue;
      }
      if (record.kind === 'decision' && owner !== undefined && !isOwnedBy(owner, record.source)) continue;
      if (!isProven(record, this.#proofs)) {
        left.unproven++;
        continue;
      }
      const { id, time, source, subject, chain } = parseCloudEvent(event);
      // Of its owner alone: another may have decided much more, and so earlier.
      if (!firsts.has(part)) firsts.set(part, time);
      const log = nameOf(chain?.log ?? '', source);
      const staged = { log, sequence: chain?.sequence ?? 0, time, id, subject, event };
      if (this.#isKnown(this.#state, staged)) continue;
      if (time <= bound && this.#state.chains[staged.log] === undefined) {
        left.repeated++;
        continue;
      }
      batch.push(staged);
      if (batch.length === BATCH) await store();
    }
    if (batch.length > 0) await store();
    for (const kind of ['unproven', 'repeated'] as const)
      if (left[kind] > 0) this.#fault(kind, { messages: left[kind] }, FAULTS[kind], left[kind]);
    return firsts;
  }

  /**
   * A log that begins later than the first read is newer than this, an instant: what Kafka had deleted by then does not come
   * back. In the second read of a whole topic a log may also be one that was left out before.
   */
  #bound(): string {
    const { begin, chains, position } = this.#state;
    if (begin === undefined) return '';
    if (position !== '') return begin === 'whole' ? '' : begin;
    const times = Object.values(chains).map(({ time }) => time);
    return times.toSorted().at(-1) ?? '';
  }

  /** It was read before, and is in the index or was deleted from it. */
  #isKnown({ chains }: TopicIndexState, { log, sequence, time, id }: Staged): boolean {
    return (
      sequence <= (chains[log]?.sequence ?? 0) && (time < this.#cutoff() || this.#file.find(id) !== undefined)
    );
  }

  /** Moves decisions into the index, log by log. */
  async #release(signal: AbortSignal): Promise<void> {
    const next = 'SELECT log FROM staged WHERE log > ? ORDER BY log LIMIT 1';
    for (let log: string | undefined = ''; log !== undefined && !signal.aborted; ) {
      await this.#releaseLog(log, signal);
      log = this.#queries.all(next, log)[0]?.text('log');
    }
  }

  /** In the order of the chain, up to the first decision that is missing and may still come. */
  async #releaseLog(log: string, signal: AbortSignal): Promise<void> {
    const page = this.#database.prepare<unknown[]>(
      'SELECT log, sequence, time, id, subject, event FROM staged WHERE log = ? ORDER BY sequence, time, id LIMIT ?',
    );
    const remove = this.#database.prepare<unknown[]>(
      'DELETE FROM staged WHERE log = ? AND (sequence, time, id) <= (?, ?, ?)',
    );
    const isWaiting = this.#state.holes[log] !== undefined;
    for (let limit = isWaiting ? 1 : BATCH; !signal.aborted; limit = BATCH) {
      const begun = this.#options.clock.now();
      const rows = page.all(log, limit).map((row) => STAGED.parse(row));
      const accepted: Staged[] = [];
      let state = rows.length === 0 ? withoutHole(this.#state, log) : this.#state;
      let done: Staged | undefined;
      for (const row of rows) {
        const judged = this.#judge(state, row);
        state = judged.state;
        if (judged.verdict === 'wait') break;
        if (judged.verdict === 'take') accepted.push(judged.row ?? row);
        done = row;
      }
      // Those that a crash left here and there are stored once.
      if (accepted.length > 0) await this.#file.append(accepted);
      if (done !== undefined || state !== this.#state)
        inTransaction(this.#database, () => {
          if (done !== undefined) remove.run(log, done.sequence, done.time, done.id);
          this.#save(state);
        });
      if (rows.length === 0 || done !== rows.at(-1)) return;
      await this.#rest(begun);
    }
  }

  #judge(state: TopicIndexState, row: Staged): Omit<Judgement, 'fault'> & { readonly row?: Staged } {
    if (this.#isKnown(state, row)) return { verdict: 'drop', state };
    if (row.time === BEHIND) return judgeCheckpoint(state, row);
    const { clock, isOnce = false } = this.#options;
    const judged = judge(state, row, { now: clock.now(), held: () => this.#held(row.log), isOnce });
    if (judged.fault !== undefined) this.#fault(judged.fault, { id: row.id }, FAULTS[judged.fault]);
    return judged;
  }

  #held(log: string): number {
    const count = 'SELECT count(*) AS count FROM (SELECT 1 FROM staged WHERE log = ? LIMIT ?)';
    return this.#queries.all(count, log, MAX_HELD + 1)[0]?.integer('count') ?? 0;
  }

  /** As long as the work took: this process reconciles too. */
  async #rest(begun: number): Promise<void> {
    const { clock, isOnce } = this.#options;
    if (isOnce) return;
    const tookMs = Math.min(clock.now() - begun, MAX_PAUSE_MS);
    await clock.sleep(Math.max(tookMs, 0));
  }

  #fault(kind: keyof typeof FAULTS | 'replaced', fields: object, message: string, count = 1): void {
    const { logger, metrics } = this.#options;
    metrics.count('scopemesh_trail_index_faults_total', { kind }, count);
    logger.error(fields, message);
  }

  #cutoff(): string {
    const { clock, keepMs } = this.#options;
    return keepMs === undefined ? '' : new Date(clock.now() - keepMs).toISOString();
  }

  #save(state: TopicIndexState): void {
    const write = 'INSERT OR REPLACE INTO topic_index VALUES (1, ?)';
    this.#database.prepare<unknown[]>(write).run(JSON.stringify(state));
    this.#state = state;
  }
}

/**
 * Where what is read begins: at an instant, at its `end` if a part has nothing left, or `whole`. Kafka deletes in each partition by
 * itself: answers are right from where all of them are whole. `firsts` has the time of the first decision of each part.
 */
function beginOf(cut: LogParts['cut'], firsts: ReadonlyMap<string, string>): string {
  const begins = cut.map((part) => firsts.get(part) ?? 'end');
  if (begins.includes('end')) return 'end';
  return begins.toSorted().at(-1) ?? 'whole';
}
