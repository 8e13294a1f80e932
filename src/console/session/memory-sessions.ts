import type { Clock } from '../../clock.js';
import type { SessionStore, StoredSession } from './session-store.js';

const MOST_OF_ONE = 10;
const MOST = 10_000;

/** Sessions that end with the process. */
export function createMemorySessions(clock: Pick<Clock, 'now'>): SessionStore {
  const sessions = new Map<string, StoredSession>();
  const keep = (most: number, isCounted: (session: StoredSession) => boolean) => {
    const counted = [...sessions.values()].filter(isCounted).toSorted((a, b) => b.endsAt - a.endsAt);
    for (const { id } of counted.slice(most)) sessions.delete(id);
  };
  return {
    async add(session) {
      for (const { id, endsAt } of sessions.values()) if (endsAt <= clock.now()) sessions.delete(id);
      sessions.set(session.id, session);
      keep(MOST_OF_ONE, ({ person }) => person === session.person);
      keep(MOST, () => true);
    },
    get: async (id) => sessions.get(id),
    async extend(id, endsAt) {
      const session = sessions.get(id);
      if (session !== undefined && session.endsAt > clock.now()) sessions.set(id, { ...session, endsAt });
    },
    async end(id) {
      sessions.delete(id);
    },
  };
}
