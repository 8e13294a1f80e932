import type { Clock } from '../../clock.js';
import type { KeyValueStore } from '../key-value-store.js';
import type { Check, StateFile } from './state-file.js';

export interface EmbeddedKeyValueStore extends KeyValueStore {
  /**
   * The same values, whose writes throw what `check` throws within their transaction. A value is read once it is on disk:
   * a job that found it is settled in another file, which must not outlive it.
   */
  fencedBy(check: Check): KeyValueStore;
  isRemembered(scope: string, id: string): boolean;
  /** Call it inside a write. */
  insert(scope: string, ids: readonly string[], ttlMs: number): void;
}

/**
 * Values are in the table `facts` of `journal.db`. What the inbox remembers with an event is in `remembered` of `queue.db`,
 * in the event's transaction. No write of the one waits for the other.
 */
export function createEmbeddedKeyValueStore(
  { queue, journal }: { readonly queue: StateFile; readonly journal: StateFile },
  clock: Clock,
): EmbeddedKeyValueStore {
  const valueIn = (name: string) =>
    journal.sql('SELECT value FROM facts WHERE name = ?').first(name)?.text('value');
  const put = (name: string, value: string) =>
    journal.sql('INSERT OR REPLACE INTO facts (name, value) VALUES (?, ?)').run(name, value);
  const isRemembered = (scope: string, id: string) => {
    const query = 'SELECT 1 FROM remembered WHERE scope = ? AND id = ? AND expires_at > ?';
    return queue.sql(query).first(scope, id, clock.now()) !== undefined;
  };
  const insert = (scope: string, ids: readonly string[], ttlMs: number): void => {
    const now = clock.now();
    const remember = queue.sql('INSERT OR REPLACE INTO remembered VALUES (?, ?, ?)');
    for (const id of ids) remember.run(scope, id, now + ttlMs);
    queue.sql('DELETE FROM remembered WHERE expires_at <= ?').run(now);
  };
  const storeWith = (get: KeyValueStore['get'], check?: Check): KeyValueStore => ({
    get,

    async set(name, value) {
      await journal.write(() => put(name, value), check);
    },

    replace: (name, expected, value) =>
      journal.write(() => {
        if (valueIn(name) !== expected) return false;
        put(name, value);
        return true;
      }, check),

    has: async (scope, id) => queue.read(() => isRemembered(scope, id)),

    async remember(scope, ids, ttlMs) {
      if (ids.length > 0) await queue.write(() => insert(scope, ids, ttlMs));
    },
  });
  return {
    ...storeWith(async (name) => journal.read(() => valueIn(name))),
    fencedBy: (check) => storeWith((name) => journal.readDurable(() => valueIn(name)), check),
    isRemembered,
    insert,
  };
}
