import type { Adapter, AdapterPayload } from 'oidc-provider';
import type { Clock } from '../../clock.js';

/** Logins that nobody finishes must not fill the memory. */
const MOST = 1_000;

interface Entry {
  readonly payload: AdapterPayload;
  readonly until: number;
}

/** Keeps the logins of one model in memory: sessions, codes, tokens, grants. The oldest go first. */
export function createMemoryAdapter(clock: Pick<Clock, 'now'>): Adapter {
  const entries = new Map<string, Entry>();
  const find = (id: string) => {
    const found = entries.get(id);
    return found !== undefined && found.until > clock.now() ? found.payload : undefined;
  };
  const findBy = (is: (payload: AdapterPayload) => boolean) =>
    [...entries].find(([id, { payload }]) => is(payload) && find(id) !== undefined)?.[1].payload;
  return {
    async upsert(id, payload, expiresIn) {
      entries.delete(id);
      entries.set(id, { payload, until: clock.now() + (expiresIn ?? 3_600) * 1000 });
      for (const old of [...entries.keys()].slice(0, -MOST)) entries.delete(old);
    },
    find: async (id) => find(id),
    findByUserCode: async () => undefined,
    findByUid: async (uid) => findBy((payload) => payload.uid === uid),
    async consume(id) {
      const found = entries.get(id);
      if (found === undefined) return;
      const consumed = Math.floor(clock.now() / 1000);
      entries.set(id, { ...found, payload: { ...found.payload, consumed } });
    },
    async destroy(id) {
      entries.delete(id);
    },
    async revokeByGrantId(grantId) {
      for (const [id, { payload }] of entries) if (payload.grantId === grantId) entries.delete(id);
    },
  };
}
