import type { Clock } from '../../clock.js';
import type { KeyValueStore } from '../key-value-store.js';
import type { Check, StateFile } from './state-file.js';

export class EmbeddedKeyValueStore implements KeyValueStore {
  readonly #file: StateFile;
  readonly #clock: Clock;

  constructor(file: StateFile, clock: Clock) {
    this.#file = file;
    this.#clock = clock;
  }

  /** The same values, whose writes throw what `check` throws within their transaction. */
  fencedBy(check: Check): KeyValueStore {
    return {
      get: (name) => this.get(name),
      set: (name, value) => this.set(name, value, check),
      replace: (name, expected, value) => this.replace(name, expected, value, check),
      has: (scope, id) => this.has(scope, id),
      remember: (scope, ids, ttlMs) => this.remember(scope, ids, ttlMs),
    };
  }

  async get(name: string): Promise<string | undefined> {
    return this.#file.read(() =>
      this.#file.sql('SELECT value FROM facts WHERE name = ?').first(name)?.text('value'),
    );
  }

  async set(name: string, value: string, check?: Check): Promise<void> {
    await this.#file.write(
      () => this.#file.sql('INSERT OR REPLACE INTO facts (name, value) VALUES (?, ?)').run(name, value),
      check,
    );
  }

  async replace(name: string, expected: string | undefined, value: string, check?: Check): Promise<boolean> {
    return this.#file.write(() => {
      const found = this.#file.sql('SELECT value FROM facts WHERE name = ?').first(name)?.text('value');
      if (found !== expected) return false;
      this.#file.sql('INSERT OR REPLACE INTO facts (name, value) VALUES (?, ?)').run(name, value);
      return true;
    }, check);
  }

  async has(scope: string, id: string): Promise<boolean> {
    return this.#file.read(() => this.isRemembered(scope, id));
  }

  async remember(scope: string, ids: readonly string[], ttlMs: number): Promise<void> {
    if (ids.length === 0) return;
    await this.#file.write(() => this.insert(scope, ids, ttlMs));
  }

  isRemembered(scope: string, id: string): boolean {
    const query = 'SELECT 1 FROM remembered WHERE scope = ? AND id = ? AND expires_at > ?';
    return this.#file.sql(query).first(scope, id, this.#clock.now()) !== undefined;
  }

  /** Call it inside a write. */
  insert(scope: string, ids: readonly string[], ttlMs: number): void {
    const now = this.#clock.now();
    const insert = this.#file.sql('INSERT OR REPLACE INTO remembered VALUES (?, ?, ?)');
    for (const id of ids) insert.run(scope, id, now + ttlMs);
    this.#file.sql('DELETE FROM remembered WHERE expires_at <= ?').run(now);
  }
}
