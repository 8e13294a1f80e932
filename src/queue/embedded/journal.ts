import { inParts } from '../../in-parts.js';
import type { Decision, DraftDecision } from '../../model/decision.js';
import type { Row } from '../../sqlite.js';
import { countFor, toHoldPage, toPosition } from '../hold-position.js';
import type {
  HoldPage,
  Journal,
  KeyRecord,
  RecordedHold,
  RecordUpdate,
  SettledDecision,
} from '../journal.js';
import { parseDecision, parseDraft, parseHold } from '../stored.js';
import { HOLD_REASON } from './schemas.js';
import type { Check, StateFile } from './state-file.js';

/** How much the journal keeps. */
interface Kept {
  /** Settled IDs: far more than a repeated step can name. */
  readonly ids: number;
  /** Subjects, at least, whose last revision is known exactly. */
  readonly subjects: number;
  /** The rest is deleted after so many settlements. */
  readonly tidyEvery: number;
}
const KEPT: Kept = { ids: 100_000, subjects: 100_000, tidyEvery: 1_000 };

// Some milliseconds of the event loop.
const KEYS_IN_ONE_TURN = 200;

const EMPTY: KeyRecord = { pending: [], lastApplied: new Map(), holds: new Map() };

interface MutableRecord {
  readonly pending: DraftDecision[];
  readonly lastApplied: Map<string, string>;
  readonly holds: Map<string, RecordedHold>;
}

/** The journal over tables of `journal.db`. One process works on it. */
export class EmbeddedJournal implements Journal {
  readonly #file: StateFile;
  readonly #kept: Kept;
  /** The number of the last draft. */
  #lastDraft: number;
  /** Everything up to this number was published. */
  #publishedTo = 0;
  #current: number;
  #floor: number;
  #settledSince = 0;
  #isTidying = false;

  constructor(file: StateFile, kept = KEPT) {
    this.#file = file;
    this.#kept = kept;
    this.#lastDraft = file.read(() => this.#integer('SELECT coalesce(max(seq), 0) AS n FROM drafts'));
    this.#current = file.read(() => this.#integer('SELECT current AS n FROM generation'));
    this.#floor = file.read(() => this.#integer('SELECT floor AS n FROM generation'));
  }

  /** The same journal, whose writes throw what `check` throws within their transaction. */
  fencedBy(check: Check): Journal {
    return {
      read: (key) => this.read(key),
      readAll: () => this.readAll(),
      record: (key, drafts, replaced) => this.record(key, drafts, replaced, check),
      settle: (key, decisions, update) => this.settle(key, decisions, update, check),
      outbox: (limit) => this.outbox(limit),
      published: (ids) => this.published(ids, check),
      overview: (page) => this.overview(page),
    };
  }

  async read(key: string): Promise<KeyRecord> {
    return this.#file.read(() => this.#records(key, key).get(key)) ?? EMPTY;
  }

  async readAll(): Promise<ReadonlyMap<string, KeyRecord>> {
    const query = `
      SELECT key FROM written UNION SELECT key FROM holds UNION SELECT key FROM drafts ORDER BY key`;
    const keys = this.#file.read(() => this.#file.sql(query).all()).map((row) => row.text('key'));
    const all = new Map<string, KeyRecord>();
    for (const slice of inParts(keys, KEYS_IN_ONE_TURN)) {
      const records = this.#file.read(() => this.#records(slice[0] ?? '', slice.at(-1) ?? ''));
      for (const [key, record] of records) all.set(key, record);
      await new Promise((resolve) => setImmediate(resolve));
    }
    return all;
  }

  async record(
    key: string,
    drafts: readonly DraftDecision[],
    replaced: readonly string[] = [],
    check?: Check,
  ): Promise<void> {
    if (drafts.length + replaced.length === 0) return;
    const bodies = drafts.map((draft) => JSON.stringify(draft));
    await this.#file.write(() => {
      for (const id of replaced) this.#drop(key, id);
      const insert = this.#file.sql(`
        INSERT OR IGNORE INTO drafts (key, id, seq, body)
        SELECT ?1, ?2, ?3, ?4 WHERE NOT EXISTS (SELECT 1 FROM decisions WHERE id = ?2)`);
      for (const [index, { id }] of drafts.entries())
        insert.run(key, id, ++this.#lastDraft, bodies[index] ?? '');
    }, check);
  }

  async settle(
    key: string,
    decisions: readonly SettledDecision[],
    update?: RecordUpdate,
    check?: Check,
  ): Promise<void> {
    const bodies = decisions.map((decision) => JSON.stringify(decision));
    await this.#file.write(() => {
      let fresh = 0;
      for (const [index, { id, subject }] of decisions.entries())
        if (this.#settleOne(key, id, subject, bodies[index] ?? '')) fresh++;
      // If all of an atomic step was done before, so was its update, which may be out of date now.
      if (update !== undefined && (fresh > 0 || decisions.length === 0)) this.#update(key, update);
    }, check);
    this.#settledSince += decisions.length;
    // The next settlement tries again after a failure.
    if (this.#settledSince >= this.#kept.tidyEvery && !this.#isTidying) this.#tidy().catch(() => {});
  }

  async outbox(limit: number): Promise<readonly Decision[]> {
    return this.#file.readDurable(() => {
      const query = 'SELECT seq, body FROM decisions WHERE seq > ? AND body IS NOT NULL ORDER BY seq LIMIT ?';
      const rows = this.#file.sql(query).all(this.#publishedTo, limit);
      const [first] = rows;
      this.#publishedTo =
        first === undefined
          ? this.#integer('SELECT coalesce(max(seq), 0) AS n FROM decisions')
          : first.integer('seq') - 1;
      return rows.map((row) => parseDecision(row.text('body')));
    });
  }

  async published(ids: readonly string[], check?: Check): Promise<void> {
    if (ids.length === 0) return;
    const all = JSON.stringify(ids);
    const clear = 'UPDATE decisions SET body = NULL WHERE id IN (SELECT value FROM json_each(?))';
    await this.#file.write(() => this.#file.sql(clear).run(all), check);
  }

  async overview(page?: HoldPage): ReturnType<Journal['overview']> {
    const file = this.#file;
    return file.read(() => {
      const { key, subject } = toPosition(page?.after);
      const query =
        'SELECT key, subject, body FROM holds WHERE (key, subject) > (?, ?) ORDER BY key, subject LIMIT ?';
      const holds = file
        .sql(query)
        .all(key, subject, countFor(page))
        .map((row) => ({ key: row.text('key'), subject: row.text('subject'), json: row.text('body') }));
      const counts = file.sql(`SELECT ${HOLD_REASON} AS reason, count(*) AS n FROM holds GROUP BY 1`).all();
      return {
        pendingKeys: file
          .sql('SELECT DISTINCT key FROM drafts ORDER BY key')
          .all()
          .map((row) => row.text('key')),
        ...toHoldPage(holds, page),
        holdCounts: Object.fromEntries(counts.map((row) => [row.text('reason'), row.integer('n')])),
        outboxLength: this.#integer(
          'SELECT count(*) AS n FROM decisions WHERE seq > ? AND body IS NOT NULL',
          this.#publishedTo,
        ),
      };
    });
  }

  /** By key, of the keys from `first` to `last`. */
  #records(first: string, last: string): Map<string, KeyRecord> {
    const records = new Map<string, MutableRecord>();
    const rows = (sql: string) => this.#file.sql(sql).all(first, last);
    const recordOf = (row: Row): MutableRecord => {
      const key = row.text('key');
      const known: MutableRecord = records.get(key) ?? {
        pending: [],
        lastApplied: new Map(),
        holds: new Map(),
      };
      records.set(key, known);
      return known;
    };
    for (const row of rows('SELECT key, subject, digest FROM written WHERE key BETWEEN ? AND ?')) {
      recordOf(row).lastApplied.set(row.text('subject'), row.text('digest'));
    }
    for (const row of rows('SELECT key, subject, body FROM holds WHERE key BETWEEN ? AND ?')) {
      recordOf(row).holds.set(row.text('subject'), parseHold(row.text('body')));
    }
    for (const row of rows('SELECT key, body FROM drafts WHERE key BETWEEN ? AND ? ORDER BY key, seq')) {
      recordOf(row).pending.push(parseDraft(row.text('body')));
    }
    return records;
  }

  /** False if the id was settled before. */
  #settleOne(key: string, id: string, subject: string, body: string): boolean {
    const file = this.#file;
    const [current, earlier] = [this.#current, 1 - this.#current];
    // The driver binds each number as REAL, whose text is not that of an integer.
    const isFresh =
      file
        .sql(`
          INSERT OR IGNORE INTO decisions (id, body) VALUES (?1, ?2 || ',"revision":' || (1 + coalesce(
            (SELECT revision FROM revisions_${current} WHERE subject = ?3),
            (SELECT revision FROM revisions_${earlier} WHERE subject = ?3), CAST(?4 AS INTEGER))) || '}')`)
        .run(id, body.slice(0, -1), subject, this.#floor) > 0;
    if (!isFresh) return false;
    file
      .sql(`
        INSERT INTO revisions_${current} (subject, revision)
        VALUES (?1, 1 + coalesce((SELECT revision FROM revisions_${earlier} WHERE subject = ?1), ?2))
        ON CONFLICT (subject) DO UPDATE SET revision = revision + 1`)
      .run(subject, this.#floor);
    this.#drop(key, id);
    return true;
  }

  #drop(key: string, id: string): void {
    this.#file.sql('DELETE FROM drafts WHERE key = ? AND id = ?').run(key, id);
  }

  /** Deletes the oldest IDs, and the revisions of subjects without a recent decision. */
  async #tidy(): Promise<void> {
    this.#isTidying = true;
    try {
      if (await this.#file.write(() => this.#forget())) this.#current = 1 - this.#current;
      this.#settledSince = 0;
    } finally {
      this.#isTidying = false;
    }
  }

  /**
   * True if the two tables of revisions were swapped. Until that is on disk, settlements go on with the table that is the
   * earlier one now. The floor counts at once: a floor that is too high does no harm, even if the swap is undone.
   */
  #forget(): boolean {
    const { ids, subjects, tidyEvery } = this.#kept;
    const [current, earlier] = [this.#current, 1 - this.#current];
    const last = this.#integer('SELECT coalesce(max(seq), 0) AS n FROM decisions');
    this.#file
      .sql(
        'DELETE FROM decisions WHERE seq IN (SELECT seq FROM decisions WHERE seq <= ? ORDER BY seq LIMIT ?)',
      )
      .run(Math.min(last - ids, this.#publishedTo), 2 * tidyEvery);
    if (this.#integer(`SELECT count(*) AS n FROM revisions_${current}`) < subjects) return false;
    const highest = this.#integer(`SELECT coalesce(max(revision), 0) AS n FROM revisions_${earlier}`);
    this.#floor = Math.max(this.#floor, highest);
    this.#file.sql(`DELETE FROM revisions_${earlier}`).run();
    this.#file.sql('UPDATE generation SET current = ?, floor = ?').run(earlier, this.#floor);
    return true;
  }

  #integer(query: string, ...values: number[]): number {
    return (
      this.#file
        .sql(query)
        .first(...values)
        ?.integer('n') ?? 0
    );
  }

  #update(key: string, update: RecordUpdate): void {
    const file = this.#file;
    for (const [subject, digest] of update.lastApplied ?? []) {
      if (digest === null) file.sql('DELETE FROM written WHERE key = ? AND subject = ?').run(key, subject);
      else file.sql('INSERT OR REPLACE INTO written VALUES (?, ?, ?)').run(key, subject, digest);
    }
    for (const [subject, hold] of update.holds ?? []) {
      if (hold === null) file.sql('DELETE FROM holds WHERE key = ? AND subject = ?').run(key, subject);
      else file.sql('INSERT OR REPLACE INTO holds VALUES (?, ?, ?)').run(key, subject, JSON.stringify(hold));
    }
  }
}
