import type { KeyValueStore } from '../key-value-store.js';
import type { ScriptLink } from './redis-link.js';
import { Script } from './script.js';

/** ARGV: name, value, and the expected value if there is one. */
const REPLACE = new Script(`
if (redis.call('HGET', P .. ':facts', ARGV[1]) or nil) ~= ARGV[3] then return 0 end
redis.call('HSET', P .. ':facts', ARGV[1], ARGV[2])
return 1`);

/** ARGV: name, value. */
const SET = new Script(`
redis.call('HSET', P .. ':facts', ARGV[1], ARGV[2])
return 1`);

export interface BullmqKeyValueStore extends KeyValueStore {
  /** The name under which the id is remembered. */
  seen(scope: string, id: string): string;
}

/** Remembered ids expire by Redis' own clock. */
export function createBullmqKeyValueStore(link: ScriptLink): BullmqKeyValueStore {
  const seen = (scope: string, id: string) => `${link.prefix}:seen:${encodeURIComponent(scope)}:${id}`;
  return {
    seen,

    get: async (name) => (await link.call((redis) => redis.hget(`${link.prefix}:facts`, name))) ?? undefined,

    async set(name, value) {
      await link.run(SET, name, value);
    },

    async replace(name, expected, value) {
      const values = expected === undefined ? [name, value] : [name, value, expected];
      return (await link.run(REPLACE, ...values)) === 1;
    },

    has: async (scope, id) => (await link.call((redis) => redis.exists(seen(scope, id)))) === 1,

    async remember(scope, ids, ttlMs) {
      const ttl = Math.max(1, Math.ceil(ttlMs));
      await link.call((redis) => Promise.all(ids.map((id) => redis.set(seen(scope, id), '1', 'PX', ttl))));
    },
  };
}
