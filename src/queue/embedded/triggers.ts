import { formatKey } from '../../model/key.js';
import type { Trigger } from '../../model/trigger.js';
import type { Row } from '../../sqlite.js';
import type { KeyUpdate, TriggerStore, Unsettled } from '../inbox.js';
import { parseFailure, parseTrigger } from '../stored.js';
import type { Check, StateFile } from './state-file.js';

export interface EmbeddedTriggers extends TriggerStore {
  /** Call it inside a write. */
  insert(triggers: readonly Trigger[]): void;
  /** The same, which gives and settles nothing once `check` throws. */
  fencedBy(check: Check): TriggerStore;
}

/** The tables `triggers` and `failures` of `queue.db`. */
export function createEmbeddedTriggers(file: StateFile): EmbeddedTriggers {
  const insert = (triggers: readonly Trigger[]) => {
    for (const trigger of triggers)
      file
        .sql('INSERT INTO triggers (key, body) VALUES (?, ?)')
        .run(formatKey(trigger.key), JSON.stringify(trigger));
  };
  const apply = ({ key, settled, failure }: KeyUpdate) => {
    for (const id of settled) file.sql('DELETE FROM triggers WHERE seq = ?').run(Number(id));
    if (failure === 'none') file.sql('DELETE FROM failures WHERE key = ?').run(key);
    else if (failure !== undefined)
      file.sql('INSERT OR REPLACE INTO failures VALUES (?, ?)').run(key, JSON.stringify(failure));
  };
  const withCheck = (check?: Check): TriggerStore => ({
    async append(triggers) {
      await file.write(() => insert(triggers));
    },

    after: async (seq, most) =>
      file.read(() => {
        check?.();
        const found = file
          .sql('SELECT seq, body FROM triggers WHERE seq > ? ORDER BY seq LIMIT ?')
          .all(seq, most)
          .map(toUnsettled);
        return { found, last: Number.POSITIVE_INFINITY };
      }),

    of: async (keys) =>
      file.read(() => {
        check?.();
        const found = new Map<string, readonly Unsettled[]>();
        for (const key of keys) {
          const rows = file.sql('SELECT seq, body FROM triggers WHERE key = ? ORDER BY seq').all(key);
          if (rows.length > 0) found.set(key, rows.map(toUnsettled));
        }
        return found;
      }),

    keys: async () =>
      file.read(() =>
        file
          .sql('SELECT DISTINCT key FROM triggers')
          .all()
          .map((row) => row.text('key')),
      ),

    failures: async () =>
      file.read(
        () =>
          new Map(
            file
              .sql('SELECT key, body FROM failures')
              .all()
              .map((row) => [row.text('key'), parseFailure(row.text('body'))]),
          ),
      ),

    async update(update) {
      await file.write(() => apply(update), check);
    },
  });
  return { ...withCheck(), insert, fencedBy: withCheck };
}

function toUnsettled(row: Row): Unsettled {
  const seq = row.integer('seq');
  return { id: String(seq), seq, trigger: parseTrigger(row.text('body')) };
}
