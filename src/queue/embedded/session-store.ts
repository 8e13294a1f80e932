import type { Clock } from '../../clock.js';
import { MOST_SESSIONS, MOST_SESSIONS_OF_ONE, type SessionStore } from '../session-store.js';
import type { StateFile } from './state-file.js';

/** In `sessions` of `journal.db`; `session_names` has a row for each name of each. */
export function createEmbeddedSessionStore(file: StateFile, clock: Pick<Clock, 'now'>): SessionStore {
  const remove = (id: string) => {
    file.sql('DELETE FROM session_names WHERE id = ?').run(id);
    return file.sql('DELETE FROM sessions WHERE id = ?').run(id);
  };
  const idsOf = (query: string, ...values: (string | number)[]) =>
    file
      .sql(query)
      .all(...values)
      .map((row) => row.text('id'));
  const NAMED = 'SELECT id FROM session_names JOIN sessions USING (id) WHERE name = ?';
  return {
    async add({ id, names, body, beganAt, endsAt }) {
      await file.write(() => {
        for (const old of idsOf('SELECT id FROM sessions WHERE ends_at <= ?', clock.now())) remove(old);
        remove(id);
        file.sql('INSERT INTO sessions VALUES (?, ?, ?, ?)').run(id, body, beganAt, endsAt);
        for (const name of new Set(names)) file.sql('INSERT INTO session_names VALUES (?, ?)').run(name, id);
        const beyond = `${NAMED} ORDER BY ends_at DESC, id LIMIT -1 OFFSET ?`;
        for (const old of idsOf(beyond, names[0], MOST_SESSIONS_OF_ONE)) remove(old);
        const all = 'SELECT id FROM sessions ORDER BY ends_at DESC LIMIT -1 OFFSET ?';
        for (const old of idsOf(all, MOST_SESSIONS)) remove(old);
      });
    },

    get: async (id) =>
      file.read(() => {
        const query = 'SELECT body, ends_at FROM sessions WHERE id = ? AND ends_at > ?';
        const row = file.sql(query).first(id, clock.now());
        return row && { body: row.text('body'), endsAt: row.integer('ends_at') };
      }),

    async extend(id, endsAt) {
      const query = 'UPDATE sessions SET ends_at = ? WHERE id = ? AND ends_at > ?';
      await file.write(() => file.sql(query).run(endsAt, id, clock.now()));
    },

    async end(id) {
      await file.write(() => remove(id));
    },

    async endNamed(name, beganUntil = Number.MAX_SAFE_INTEGER) {
      await file.write(() => {
        for (const id of idsOf(`${NAMED} AND began_at <= ?`, name, beganUntil)) remove(id);
      });
    },
  };
}
