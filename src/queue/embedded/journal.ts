import type { Decision, DraftDecision } from '../../model/decision.js';
import type { Journal, KeyRecord, RecordedHold, RecordUpdate, SettledDecision } from '../journal.js';
import { parseDecision, parseDraft, parseHold } from '../stored.js';
import type { Row } from './rows.js';
import type { StateFile } from './state-file.js';

// How many settled ids are remembered: far more than can be under way when a step is repeated.
const SETTLED_KEPT = 100_000;

// Some milliseconds of the event loop.
const KEYS_IN_ONE_TURN = 200;

const EMPTY: KeyRecord = { pending: [], lastWritten: new Map(), holds: new Map() };

interface MutableRecord {
  readonly pending: DraftDecision[];
  readonly lastWritten: Map<string, string>;
  readonly holds: Map<string, RecordedHold>;
}

/** The journal over the tables of `journal.db`. */
export class EmbeddedJournal implements Journal {
  readonly #file: StateFile;

  constructor(file: StateFile) {
    this.#file = file;
  }

  async read(key: string): Promise<KeyRecord> {
    return this.#file.read(() => this.#records(key, key).get(key)) ?? EMPTY;
  }

  async readAll(): Promise<ReadonlyMap<string, KeyRecord>> {
    const query = `
      SELECT key FROM written UNION SELECT key FROM holds UNION SELECT key FROM pending ORDER BY key`;
    const keys = this.#file.read(() => this.#file.sql(query).all()).map((row) => row.text('key'));
    const all = new Map<string, KeyRecord>();
    for (let from = 0; from < keys.length; from += KEYS_IN_ONE_TURN) {
      const slice = keys.slice(from, from + KEYS_IN_ONE_TURN);
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
  ): Promise<void> {
    if (drafts.length + replaced.length === 0) return;
    await this.#file.write(() => {
      for (const id of replaced) this.#file.sql('DELETE FROM pending WHERE id = ?').run(id);
      const insert = this.#file.sql('INSERT OR IGNORE INTO pending (id, key, body) VALUES (?, ?, ?)');
      for (const draft of drafts) {
        if (!this.#wasSettled(draft.id)) insert.run(draft.id, key, JSON.stringify(draft));
      }
    });
  }

  async settle(key: string, decisions: readonly SettledDecision[], update?: RecordUpdate): Promise<void> {
    await this.#file.write(() => {
      const fresh = decisions.filter((decision) => this.#settleOne(decision));
      // The step was atomic: where all of it was done before, its update was too, and may be out of date now.
      if (update !== undefined && (fresh.length > 0 || decisions.length === 0)) this.#update(key, update);
      this.#file.sql('DELETE FROM settled WHERE seq <= (SELECT max(seq) FROM settled) - ?').run(SETTLED_KEPT);
    });
  }

  async outbox(limit: number): Promise<readonly Decision[]> {
    return this.#file.readDurable(() =>
      this.#file
        .sql('SELECT body FROM outbox ORDER BY seq LIMIT ?')
        .all(limit)
        .map((row) => parseDecision(row.text('body'))),
    );
  }

  async published(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return;
    await this.#file.write(() => {
      for (const id of ids) this.#file.sql('DELETE FROM outbox WHERE id = ?').run(id);
    });
  }

  async overview(): ReturnType<Journal['overview']> {
    const file = this.#file;
    return file.read(() => ({
      pendingKeys: file
        .sql('SELECT DISTINCT key FROM pending ORDER BY key')
        .all()
        .map((row) => row.text('key')),
      holds: file
        .sql('SELECT key, body FROM holds ORDER BY key, subject')
        .all()
        .map((row) => ({ ...parseHold(row.text('body')), key: row.text('key') })),
      outboxLength: file.sql('SELECT count(*) AS n FROM outbox').first()?.integer('n') ?? 0,
    }));
  }

  /** By key, of the keys from `first` to `last`. */
  #records(first: string, last: string): Map<string, KeyRecord> {
    const records = new Map<string, MutableRecord>();
    const rows = (sql: string) => this.#file.sql(sql).all(first, last);
    const recordOf = (row: Row): MutableRecord => {
      const key = row.text('key');
      const known: MutableRecord = records.get(key) ?? {
        pending: [],
        lastWritten: new Map(),
        holds: new Map(),
      };
      records.set(key, known);
      return known;
    };
    for (const row of rows('SELECT key, subject, digest FROM written WHERE key BETWEEN ? AND ?')) {
      recordOf(row).lastWritten.set(row.text('subject'), row.text('digest'));
    }
    for (const row of rows('SELECT key, subject, body FROM holds WHERE key BETWEEN ? AND ?')) {
      recordOf(row).holds.set(row.text('subject'), parseHold(row.text('body')));
    }
    for (const row of rows('SELECT key, body FROM pending WHERE key BETWEEN ? AND ? ORDER BY key, seq')) {
      recordOf(row).pending.push(parseDraft(row.text('body')));
    }
    return records;
  }

  #wasSettled(id: string): boolean {
    return this.#file.sql('SELECT 1 FROM settled WHERE id = ?').first(id) !== undefined;
  }

  /** False if the id was settled before. */
  #settleOne(decision: SettledDecision): boolean {
    const file = this.#file;
    if (file.sql('INSERT OR IGNORE INTO settled (id) VALUES (?)').run(decision.id) === 0) return false;
    file.sql('DELETE FROM pending WHERE id = ?').run(decision.id);
    const revision = file
      .sql(`
        INSERT INTO revisions (subject, revision) VALUES (?, 1)
        ON CONFLICT (subject) DO UPDATE SET revision = revision + 1 RETURNING revision`)
      .first(decision.subject)
      ?.integer('revision');
    file
      .sql('INSERT INTO outbox (id, body) VALUES (?, ?)')
      .run(decision.id, JSON.stringify({ ...decision, revision }));
    return true;
  }

  #update(key: string, update: RecordUpdate): void {
    const file = this.#file;
    for (const [subject, digest] of update.lastWritten ?? []) {
      if (digest === null) file.sql('DELETE FROM written WHERE key = ? AND subject = ?').run(key, subject);
      else file.sql('INSERT OR REPLACE INTO written VALUES (?, ?, ?)').run(key, subject, digest);
    }
    for (const [subject, hold] of update.holds ?? []) {
      if (hold === null) file.sql('DELETE FROM holds WHERE key = ? AND subject = ?').run(key, subject);
      else file.sql('INSERT OR REPLACE INTO holds VALUES (?, ?, ?)').run(key, subject, JSON.stringify(hold));
    }
  }
}
