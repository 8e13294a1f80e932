import type { Clock } from '../../clock.js';
import type { KeyValueStore } from '../key-value-store.js';
import type { Check, StateFile } from './state-file.js';

/**
 * Values are in the table `facts` of `journal.db`. What the inbox remembers with an event is in `remembered` of `queue.db`,
 * in the event's transaction. No write of the one waits for the other.
 */
export class EmbeddedKeyValueStore implements KeyValueStore {
  readonly #queueFile: StateFile;
  readonly #journalFile: StateFile;
  readonly #clock: Clock;

  constructor(files: { readonly queue: StateFile; readonly journal: StateFile }, clock: Clock) {
    this.#queueFile = files.queue;
    this.#journalFile = files.journal;
    this.#clock = clock;
  }

  /**
   * The same values, whose writes throw what `check` throws within their transaction. A value is read once it is on disk:
   * a job that found it is settled in another file, which must not outlive it.
   */
  fencedBy(check: Check): KeyValueStore {
    return {
      get: (name) => this.#journalFile.readDurable(() => this.#value(name)),
      set: (name, value) => this.set(name, value, check),
      replace: (name, expected, value) => this.replace(name, expected, value, check),
      has: (scope, id) => this.has(scope, id),
      remember: (scope, ids, ttlMs) => this.remember(scope, ids, ttlMs),
    };
  }

  async get(name: string): Promise<string | undefined> {
    return this.#journalFile.read(() => this.#value(name));
  }

  async set(name: string, value: string, check?: Check): Promise<void> {
    await this.#journalFile.write(() => this.#put(name, value), check);
  }

  async replace(name: string, expected: string | undefined, value: string, check?: Check): Promise<boolean> {
    return this.#journalFile.write(() => {
      if (this.#value(name) !== expected) return false;
      this.#put(name, value);
      return true;
    }, check);
  }

  async has(scope: string, id: string): Promise<boolean> {
    return this.#queueFile.read(() => this.isRemembered(scope, id));
  }

  async remember(scope: string, ids: readonly string[], ttlMs: number): Promise<void> {
    if (ids.length === 0) return;
    await this.#queueFile.write(() => this.insert(scope, ids, ttlMs));
  }

  isRemembered(scope: string, id: string): boolean {
    const query = 'SELECT 1 FROM remembered WHERE scope = ? AND id = ? AND expires_at > ?';
    return this.#queueFile.sql(query).first(scope, id, this.#clock.now()) !== undefined;
  }

  /** Call it inside a write. */
  insert(scope: string, ids: readonly string[], ttlMs: number): void {
    const now = this.#clock.now();
    const insert = this.#queueFile.sql('INSERT OR REPLACE INTO remembered VALUES (?, ?, ?)');
    for (const id of ids) insert.run(scope, id, now + ttlMs);
    this.#queueFile.sql('DELETE FROM remembered WHERE expires_at <= ?').run(now);
  }
  #value(name: string): string | undefined {
    return this.#journalFile.sql('SELECT value FROM facts WHERE name = ?').first(name)?.text('value');
  }

  #put(name: string, value: string): void {
    this.#journalFile.sql('INSERT OR REPLACE INTO facts (name, value) VALUES (?, ?)').run(name, value);
  }
}
