import type { Recheck, Rechecks } from '../rechecks.js';
import { parseRecheck } from '../stored.js';
import type { StateFile } from './state-file.js';

export interface EmbeddedRechecks extends Rechecks {
  /** Call it inside a write. */
  insert(provider: string, recheck: Recheck): void;
}

export function createEmbeddedRechecks(file: StateFile): EmbeddedRechecks {
  const insert = (provider: string, recheck: Recheck): void => {
    file
      .sql('INSERT OR REPLACE INTO rechecks (provider, id, due_at, body) VALUES (?, ?, ?, ?)')
      .run(provider, recheck.id, Math.ceil(recheck.dueAt), JSON.stringify(recheck));
  };
  return {
    insert,

    async put(provider, rechecks) {
      if (rechecks.length === 0) return;
      await file.write(() => {
        for (const recheck of rechecks) insert(provider, recheck);
      });
    },

    due: async (provider, now, most) =>
      file.read(() =>
        file
          .sql('SELECT body FROM rechecks WHERE provider = ? AND due_at <= ? ORDER BY due_at, id LIMIT ?')
          .all(provider, now, most)
          .map((row) => parseRecheck(row.text('body'))),
      ),

    async move(provider, moves) {
      if (moves.length === 0) return;
      await file.write(() => {
        const remove = file.sql('DELETE FROM rechecks WHERE provider = ? AND id = ? AND body = ?');
        for (const { from, to } of moves) {
          const isThere = remove.run(provider, from.id, JSON.stringify(from)) > 0;
          if (isThere && to !== undefined) insert(provider, to);
        }
      });
    },

    async count(provider) {
      const query = 'SELECT count(*) AS n FROM rechecks WHERE provider = ?';
      return file.read(() => file.sql(query).first(provider)?.integer('n') ?? 0);
    },
  };
}
