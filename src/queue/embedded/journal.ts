import type { Decision, DraftDecision } from '../../model/decision.js';
import type { Journal, KeyRecord, RecordUpdate, SettledDecision } from '../journal.js';
import { parseDecision, parseDraft, parseHold } from '../stored.js';
import type { StateFile } from './state-file.js';

// How many settled ids are remembered: far more than can be under way when a step is repeated.
const SETTLED_KEPT = 100_000;

/** The journal over the tables of the queue's own file, so that a decision is as durable as its job. */
export class EmbeddedJournal implements Journal {
  readonly #file: StateFile;

  constructor(file: StateFile) {
    this.#file = file;
  }

  async read(key: string): Promise<KeyRecord> {
    const file = this.#file;
    return file.read(() => ({
      pending: file
        .sql('SELECT body FROM pending WHERE key = ? ORDER BY seq')
        .all(key)
        .map((row) => parseDraft(row.text('body'))),
      lastWritten: new Map(
        file
          .sql('SELECT subject, digest FROM written WHERE key = ?')
          .all(key)
          .map((row) => [row.text('subject'), row.text('digest')]),
      ),
      holds: new Map(
        file
          .sql('SELECT subject, body FROM holds WHERE key = ?')
          .all(key)
          .map((row) => [row.text('subject'), parseHold(row.text('body'))]),
      ),
    }));
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
    return this.#file.read(() =>
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

  #wasSettled(id: string): boolean {
    return this.#file.sql('SELECT 1 FROM settled WHERE id = ?').first(id) !== undefined;
  }

  /** False if the id was settled before. */
  #settleOne(decision: SettledDecision): boolean {
    const file = this.#file;
    if (file.sql('INSERT OR IGNORE INTO settled (id) VALUES (?)').run(decision.id) === 0) return false;
    file.sql('DELETE FROM pending WHERE id = ?').run(decision.id);
    file
      .sql(`
        INSERT INTO revisions (subject, revision) VALUES (?, 1)
        ON CONFLICT (subject) DO UPDATE SET revision = revision + 1`)
      .run(decision.subject);
    const revision = file
      .sql('SELECT revision FROM revisions WHERE subject = ?')
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
