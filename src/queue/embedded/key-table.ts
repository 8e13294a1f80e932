import type { Trigger } from '../../model/trigger.js';
import type { ParkedKey, Unparked } from '../queue.js';
import { parseTrigger } from '../stored.js';
import type { StateFile } from './state-file.js';

/**
 * If the clock is before the moment at which a key began to wait, it was set back since. The key may have waited long
 * enough, so it is due. The parameter is now.
 */
const IS_DUE = '(due_at <= ?1 OR delayed_at > ?1)';
const IS_IDLE = 'key NOT IN (SELECT key FROM running)';

/**
 * The tables `triggers` (what came and has not been run with success) and `keys` (one row for each key that has
 * triggers: urgent or not, its place, since when it waits and when it is due, how often it failed, parked or not).
 * Every method is synchronous; those that write to these tables belong inside `StateFile.write`.
 */
export class KeyTable {
  readonly #file: StateFile;

  constructor(file: StateFile) {
    this.#file = file;
  }

  append(key: string, urgent: boolean, body: string): void {
    const flag = urgent ? 1 : 0;
    this.#file.sql('INSERT INTO triggers (key, urgent, body) VALUES (?, ?, ?)').run(key, flag, body);
    // A new trigger unparks the key. An urgent one also ends its backoff.
    this.#file
      .sql(`
      INSERT INTO keys (key, urgent, seq, due_at, attempts, error) VALUES (?, ?, last_insert_rowid(), 0, 0, '')
      ON CONFLICT (key) DO UPDATE SET
        urgent = max(urgent, excluded.urgent),
        due_at = iif(excluded.urgent OR parked_since IS NOT NULL, 0, due_at),
        attempts = iif(parked_since IS NULL, attempts, 0),
        parked_since = NULL`)
      .run(key, flag);
  }

  /** The next keys to run, without those that run now: urgent ones first, then by place. */
  due(now: number, limit: number): { readonly key: string; readonly attempts: number }[] {
    return this.#file
      .sql(`
      SELECT key, attempts FROM keys WHERE parked_since IS NULL AND ${IS_DUE} AND ${IS_IDLE}
      ORDER BY urgent DESC, seq LIMIT ?2`)
      .all(now, limit)
      .map((row) => ({ key: row.text('key'), attempts: row.integer('attempts') }));
  }

  triggers(key: string): { readonly triggers: readonly Trigger[]; readonly lastSeq: number } {
    const rows = this.#file.sql('SELECT seq, body FROM triggers WHERE key = ? ORDER BY seq').all(key);
    return {
      triggers: rows.map((row) => parseTrigger(row.text('body'))),
      lastSeq: rows.at(-1)?.integer('seq') ?? 0,
    };
  }

  /** Of all keys with this prefix, whether they wait, run or are parked. */
  triggersOf(prefix: string): readonly Trigger[] {
    // No key has a character above U+FFFF: they are percent-encoded.
    return this.#file
      .sql('SELECT body FROM triggers WHERE key >= ? AND key < ? ORDER BY key, seq')
      .all(prefix, `${prefix}\uffff`)
      .map((row) => parseTrigger(row.text('body')));
  }

  hasNewer(key: string, seq: number): boolean {
    return (
      this.#file.sql('SELECT 1 FROM triggers WHERE key = ? AND seq > ? LIMIT 1').first(key, seq) !== undefined
    );
  }

  /** Deletes the triggers up to `seq`, and the key too if it has no newer ones. */
  done(key: string, seq: number): void {
    this.#file.sql('DELETE FROM triggers WHERE key = ? AND seq <= ?').run(key, seq);
    const rest = this.#file
      .sql(`
      SELECT min(seq) AS seq, max(urgent) AS urgent FROM triggers WHERE key = ? HAVING count(*) > 0`)
      .first(key);
    if (rest === undefined) {
      this.#file.sql('DELETE FROM keys WHERE key = ?').run(key);
      return;
    }
    this.#file
      .sql(`UPDATE keys SET urgent = ?, seq = ?, due_at = 0, attempts = 0, error = '' WHERE key = ?`)
      .run(rest.integer('urgent'), rest.integer('seq'), key);
  }

  /**
   * Runs the key again after a while, or at once if an urgent trigger came that the run did not know. In both cases the
   * key goes behind all waiting keys. Otherwise keys that return again and again would keep the others from running.
   */
  delay(
    key: string,
    seq: number,
    wait: { readonly now: number; readonly afterMs: number },
    failure?: { readonly attempts: number; readonly error: string },
  ): void {
    const urgentCame = this.#file
      .sql('SELECT 1 FROM triggers WHERE key = ? AND seq > ? AND urgent = 1 LIMIT 1')
      .first(key, seq);
    const dueAt = urgentCame === undefined ? Math.ceil(wait.now + wait.afterMs) : 0;
    this.#file
      .sql('UPDATE keys SET seq = ?, delayed_at = ?, due_at = ? WHERE key = ?')
      .run(this.#lastPlace(), Math.floor(wait.now), dueAt, key);
    if (failure === undefined) return;
    this.#file
      .sql('UPDATE keys SET attempts = ?, error = ? WHERE key = ?')
      .run(failure.attempts, failure.error, key);
  }

  park(key: string, attempts: number, error: string, since: string): void {
    this.#file
      .sql('UPDATE keys SET attempts = ?, error = ?, parked_since = ? WHERE key = ?')
      .run(attempts, error, since, key);
  }

  unpark(key: string): boolean {
    const changed = this.#file
      .sql(`
      UPDATE keys SET parked_since = NULL, attempts = 0, due_at = 0
      WHERE key = ? AND parked_since IS NOT NULL`)
      .run(key);
    return changed > 0;
  }

  /** Deletes a parked key with its triggers. */
  drop(key: string): Unparked {
    const parked = this.#file.sql('SELECT 1 FROM keys WHERE key = ? AND parked_since IS NOT NULL').first(key);
    if (parked === undefined) return 'not-parked';
    if (this.triggers(key).triggers.some(({ order }) => order !== undefined)) return 'has-order';
    this.#file.sql('DELETE FROM triggers WHERE key = ?').run(key);
    this.#file.sql('DELETE FROM keys WHERE key = ?').run(key);
    return 'done';
  }

  parked(): readonly ParkedKey[] {
    return this.#file
      .sql(`
      SELECT key, attempts, error, parked_since FROM keys WHERE parked_since IS NOT NULL ORDER BY key`)
      .all()
      .map((row) => ({
        key: row.text('key'),
        attempts: row.integer('attempts'),
        error: row.text('error'),
        since: row.text('parked_since'),
      }));
  }

  /** How many keys wait, without those that run or are parked. */
  count(now: number): { readonly due: number; readonly delayed: number } {
    const row = this.#file
      .sql(`
      SELECT count(*) AS waiting, count(*) FILTER (WHERE ${IS_DUE}) AS due FROM keys
      WHERE parked_since IS NULL AND ${IS_IDLE}`)
      .first(now);
    const due = row?.integer('due') ?? 0;
    return { due, delayed: (row?.integer('waiting') ?? 0) - due };
  }

  /** Leaves the key out of `due` and `count` until `stop`. */
  start(key: string): void {
    this.#file.sql('INSERT OR IGNORE INTO running VALUES (?)').run(key);
  }

  stop(key: string): void {
    this.#file.sql('DELETE FROM running WHERE key = ?').run(key);
  }

  nextDueAt(now: number): number | undefined {
    const row = this.#file
      .sql(`
      SELECT due_at FROM keys WHERE parked_since IS NULL AND due_at > ?1 AND delayed_at <= ?1
      ORDER BY due_at LIMIT 1`)
      .first(now);
    return row?.integer('due_at');
  }

  /** Numbered with the triggers, so that later triggers go behind it. */
  #lastPlace(): number {
    this.#file.sql(`UPDATE sqlite_sequence SET seq = seq + 1 WHERE name = 'triggers'`).run();
    const row = this.#file.sql(`SELECT seq FROM sqlite_sequence WHERE name = 'triggers'`).first();
    return row?.integer('seq') ?? 0;
  }
}
