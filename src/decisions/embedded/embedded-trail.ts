import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import Database from 'libsql';
import type { Clock } from '../../clock.js';
import { configError, messageOf, SyncError } from '../../errors.js';
import type { Decision } from '../../model/decision.js';
import { definedFields } from '../../model/defined-fields.js';
import type { Logger } from '../../observe.js';
import { Queries } from '../../sqlite.js';
import { parseStored } from '../log.js';
import type { HistoryOptions, Trail, TrailEnd, TrailExtent, TrailParty } from '../trail.js';
import { DecisionFile, type PlacedRow, toPlaced } from './decision-file.js';
import { readIndexState, type TopicIndexState } from './topic-index-state.js';

interface EmbeddedTrailOptions {
  /** Where `decisions.db` lies. */
  readonly directory: string;
  readonly logger: Logger;
  readonly clock: Pick<Clock, 'now'>;
  /** The index of a topic, which its follower made: never an empty log that nobody wrote. */
  readonly isIndex?: boolean;
  /** Makes each call of libsql. */
  readonly inCall?: <T>(call: () => T) => T;
  /** Called once it is closed. */
  readonly onClosed?: () => void | Promise<void>;
}

/** Rows per turn of the event loop: a few milliseconds. */
const PAGE = 200;
/** Most subjects have few changes since they were opened, and each event read is a read of the disk. */
const FEW = 4;
/** Sorts after every text that begins with the prefix before it: no subject has a noncharacter. */
const HIGHEST = '\u{10FFFF}';
const NEVER = Number.MAX_SAFE_INTEGER;
/** An index that reads the topic every few seconds is not further behind than this, even if Kafka or the machine is slow. */
const BEHIND_MS = 60_000;

/**
 * Answers from the embedded log by its index of subjects, which another process may write at the same time. Throws SyncError
 * ERR_CONFIG if `isIndex` is set, and the directory has no index or an index that was never complete.
 */
export async function openEmbeddedTrail(options: EmbeddedTrailOptions): Promise<Trail> {
  const { directory, isIndex = false } = options;
  if (isIndex && !existsSync(join(directory, 'decisions.db'))) throw noIndex(directory);
  // Makes a log that has no decision yet.
  if (!isIndex) await new DecisionFile(directory).close();
  const trail = new EmbeddedTrail(options);
  try {
    await trail.extent();
    return trail;
  } catch (error) {
    await trail.close();
    throw error;
  }
}

class EmbeddedTrail implements Trail {
  readonly #path: string;
  readonly #options: EmbeddedTrailOptions;
  readonly #queries: Queries;
  /** The last result of `#endOf`: a question asks about many subjects at one instant. */
  #found = { key: '', end: 0 };

  constructor(options: EmbeddedTrailOptions) {
    this.#path = join(options.directory, 'decisions.db');
    this.#options = options;
    this.#queries = this.#attempt(
      () => new Queries(new Database(this.#path, { readonly: true, timeout: 5_000 })),
    );
  }

  async extent(): Promise<TrailExtent> {
    const first = this.#edge('ASC');
    // A checkpoint is no decision.
    const [last] = this.#all(
      "SELECT seq, time AS event FROM decisions WHERE subject NOT LIKE 'checkpoint/%' ORDER BY seq DESC LIMIT 1",
    );
    // Positions count from 1.
    const extent = { first: first?.event, last: last?.event, isCut: (first?.seq ?? 1) > 1 };
    const state = this.#inCall(() => readIndexState(this.#queries));
    const { clock, directory, isIndex = false } = this.#options;
    if (isIndex && state.until === undefined) throw noIndex(directory);
    return extentOf(extent, state, clock.now());
  }

  async *subjects(of: TrailParty | { readonly prefix: string }): AsyncIterable<string> {
    let after = 'prefix' in of ? of.prefix : '';
    for (;;) {
      const found = 'prefix' in of ? this.#subjectsBelow(of.prefix, after) : this.#subjectsAbout(of, after);
      yield* found;
      const last = found.at(-1);
      if (last === undefined) return;
      after = last;
      await setImmediate();
    }
  }

  async *newestFirst(subject: string, at: TrailEnd): AsyncIterable<Decision> {
    const end = this.#endOf(at);
    yield* this.#pages((before) =>
      this.#all(
        `SELECT seq, event FROM decisions WHERE subject = ? AND seq < ? ORDER BY seq DESC LIMIT ${FEW}`,
        subject,
        Math.min(before, end + 1),
      ),
    );
    const [carried] = this.#all('SELECT seq, event FROM carried WHERE subject = ?', subject);
    const decision = carried && this.#parse(carried);
    if (decision !== undefined && (typeof at !== 'string' || decision.time <= at)) yield decision;
  }

  async next(subject: string, at: TrailEnd): Promise<Decision | undefined> {
    const [row] = this.#all(
      'SELECT seq, event FROM decisions WHERE subject = ? AND seq > ? ORDER BY seq LIMIT 1',
      subject,
      this.#endOf(at),
    );
    return row && this.#parse(row);
  }

  async decision(id: string): Promise<Decision | undefined> {
    const [row] = this.#all('SELECT seq, event FROM decisions WHERE id = ?', id);
    return row && this.#parse(row);
  }

  async *eventsAround(id: string): AsyncIterable<string> {
    const [found] = this.#all("SELECT seq, '' AS event FROM decisions WHERE id = ?", id);
    if (found === undefined) return;
    const [checkpoint] = this.#all(
      "SELECT seq, '' AS event FROM decisions WHERE subject LIKE 'checkpoint/%' AND seq < ? ORDER BY seq DESC LIMIT 1",
      found.seq,
    );
    for (let after = (checkpoint?.seq ?? 1) - 1; ; ) {
      const rows = this.#all(
        `SELECT seq, event FROM decisions WHERE seq > ? ORDER BY seq LIMIT ${PAGE}`,
        after,
      );
      for (const { event } of rows) yield event;
      const last = rows.at(-1);
      if (last === undefined) return;
      after = last.seq;
      await setImmediate();
    }
  }

  async *history(
    of: TrailParty | { readonly subject: string } | 'all',
    { from, to }: HistoryOptions,
  ): AsyncIterable<Decision> {
    const first = from === undefined ? 0 : this.#endOf(justBefore(from)) + 1;
    const end = to === undefined ? NEVER - 1 : this.#endOf(to);
    if (of !== 'all' && 'kind' in of) {
      yield* this.#newestOf(of, Math.max(first, 1), end);
      return;
    }
    const [condition, values] = of === 'all' ? ['TRUE', []] : ['subject = ?', [of.subject]];
    yield* this.#pages((before) =>
      this.#all(
        `SELECT seq, event FROM decisions WHERE ${condition} AND seq >= ? AND seq < ? ORDER BY seq DESC LIMIT ${PAGE}`,
        ...values,
        first,
        Math.min(before, end + 1),
      ),
    );
  }

  /**
   * Keeps the newest position of each subject, and goes on in the subject of which it took one: the cost is that of the
   * subjects and of what is read, however many decisions they have.
   */
  async *#newestOf({ kind, name }: TrailParty, first: number, end: number): AsyncIterable<Decision> {
    // By position, with the subject as `event`.
    const waiting: PlacedRow[] = [];
    for (let after: string | undefined = ''; after !== undefined; ) {
      const rows = this.#all(
        `SELECT coalesce((SELECT max(seq) FROM decisions WHERE subject = about.subject AND seq <= ?), 0) AS seq, subject AS event
          FROM about WHERE kind = ? AND name = ? AND subject > ? ORDER BY subject LIMIT ${PAGE}`,
        end,
        kind,
        name,
        after,
      );
      waiting.push(...rows.filter(({ seq }) => seq >= first));
      after = rows.at(-1)?.event;
      await setImmediate();
    }
    waiting.sort((a, b) => a.seq - b.seq);
    for (let read = 1; ; read++) {
      const newest = waiting.pop();
      if (newest === undefined) return;
      const { seq, event: subject } = newest;
      const [row] = this.#all('SELECT seq, event FROM decisions WHERE seq = ?', seq);
      const decision = row && this.#parse(row);
      if (decision !== undefined) yield decision;
      const [next] = this.#all(
        'SELECT seq, subject AS event FROM decisions WHERE subject = ? AND seq >= ? AND seq < ? ORDER BY seq DESC LIMIT 1',
        subject,
        first,
        seq,
      );
      if (next !== undefined)
        waiting.splice(waiting.findLastIndex((each) => each.seq < next.seq) + 1, 0, next);
      if (read % PAGE === 0) await setImmediate();
    }
  }

  async close(): Promise<void> {
    this.#inCall(() => this.#queries.close());
    await this.#options.onClosed?.();
  }

  async *#pages(read: (before: number) => readonly PlacedRow[]): AsyncIterable<Decision> {
    for (let before = NEVER; ; ) {
      const rows = read(before);
      for (const row of rows) {
        const decision = this.#parse(row);
        if (decision !== undefined) yield decision;
      }
      const last = rows.at(-1);
      if (last === undefined) return;
      before = last.seq;
      await setImmediate();
    }
  }

  /**
   * The position of the last decision at or before an instant. Times rise with positions, but where the clock was set back:
   * the search is in the last part of rising times that begins at or before the instant.
   */
  #endOf(at: TrailEnd): number {
    if (typeof at !== 'string') return this.#placeOf(at.id);
    const [low, high] = [this.#edge('ASC')?.seq ?? 0, this.#edge('DESC')?.seq ?? 0];
    const key = `${low} ${high} ${at}`;
    if (this.#found.key !== key) this.#found = { key, end: this.#search(at, low, high) };
    return this.#found.end;
  }

  #placeOf(id: string): number {
    const [row] = this.#all("SELECT seq, '' AS event FROM decisions WHERE id = ?", id);
    if (row !== undefined) return row.seq;
    throw new SyncError('ERR_DECISIONS_UNREACHABLE', `the decision ${id} was deleted meanwhile; ask again.`, {
      retriable: true,
    });
  }

  #search(at: string, lowest: number, highest: number): number {
    const fall = (condition: string, value: string | number, order: 'ASC' | 'DESC') =>
      this.#all(
        `SELECT seq, time AS event FROM falls WHERE ${condition} ORDER BY seq ${order} LIMIT 1`,
        value,
      )[0]?.seq;
    const begin = fall('time <= ?', at, 'DESC') ?? 0;
    const next = fall('seq > ?', begin, 'ASC');
    let [low, high] = [Math.max(lowest, begin) - 1, next === undefined ? highest : next - 1];
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      const [row] = this.#all(
        'SELECT seq, time AS event FROM decisions WHERE seq <= ? ORDER BY seq DESC LIMIT 1',
        middle,
      );
      if (row === undefined || row.event <= at) low = middle;
      else high = row.seq - 1;
    }
    return low;
  }

  /** The first or the last decision: its position, and its time as `event`. */
  #edge(order: 'ASC' | 'DESC'): PlacedRow | undefined {
    return this.#all(`SELECT seq, time AS event FROM decisions ORDER BY seq ${order} LIMIT 1`)[0];
  }

  /** Seeks from one subject to the next: the index has an entry for each decision. */
  #subjectsBelow(prefix: string, after: string): readonly string[] {
    const next = (table: string, from: string) =>
      this.#all(
        `SELECT 0 AS seq, subject AS event FROM ${table} WHERE subject > ? AND subject < ? ORDER BY subject LIMIT 1`,
        from,
        prefix + HIGHEST,
      ).map(({ event }) => event);
    const found: string[] = [];
    for (let from = after; found.length < PAGE; ) {
      const [subject] = [...next('decisions', from), ...next('carried', from)].toSorted();
      if (subject === undefined) break;
      found.push(subject);
      from = subject;
    }
    return found;
  }

  #subjectsAbout({ kind, name }: TrailParty, after: string): readonly string[] {
    return this.#all(
      `SELECT 0 AS seq, subject AS event FROM about WHERE kind = ? AND name = ? AND subject > ? ORDER BY subject LIMIT ${PAGE}`,
      kind,
      name,
      after,
    ).map(({ event }) => event);
  }

  #parse({ event }: PlacedRow): Decision | undefined {
    return parseStored(event, this.#options.logger);
  }

  #all(sql: string, ...values: readonly unknown[]): readonly PlacedRow[] {
    return this.#attempt(() => this.#queries.all(sql, ...values).map(toPlaced));
  }

  #inCall<T>(call: () => T): T {
    const { inCall } = this.#options;
    return inCall === undefined ? call() : inCall(call);
  }

  #attempt<T>(operation: () => T): T {
    try {
      return this.#inCall(operation);
    } catch (error) {
      throw new SyncError(
        'ERR_DECISIONS_UNREACHABLE',
        `the decision log ${this.#path} cannot be read (${messageOf(error)}); check its permissions.`,
        { retriable: true, cause: error },
      );
    }
  }
}

function justBefore(at: string): string {
  return new Date(Date.parse(at) - 1).toISOString();
}

/** What follows a topic does not reach further than what it has of the topic. */
function extentOf(extent: TrailExtent, state: TopicIndexState, now: number): TrailExtent {
  const { until, begin = 'whole', gaps, holes, broken } = state;
  const cut = begin === 'whole' ? extent : cutExtent(extent, begin);
  if (until === undefined) return cut;
  // What a log waits for may still come; until then it is missing.
  const waiting = Object.values(holes)
    .map(({ time }) => time)
    .toSorted()
    .slice(0, 1)
    .map((after) => ({ after, until }));
  return {
    ...cut,
    index: {
      until,
      // The clock may have been set back.
      isBehind: Math.abs(Date.parse(until) - now) > BEHIND_MS,
      gaps: [...gaps, ...waiting],
      ...definedFields({ broken }),
    },
  };
}

function cutExtent(extent: TrailExtent, begin: string): TrailExtent {
  const [, latest = begin] = [begin, extent.first ?? begin].toSorted();
  return { ...extent, first: begin === 'end' ? extent.last : latest, isCut: true, isForgetful: true };
}

function noIndex(directory: string): SyncError {
  return configError(
    `there is no complete index of the topic in ${directory}: scopemesh run makes it with decisions.index: on (the default); ` +
      'wait until its first read of the topic ends, run this where it runs, or add --from-topic',
  );
}
