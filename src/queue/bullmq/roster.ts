import { z } from 'zod';
import { compareText } from '../../model/compare-text.js';
import type { Replica } from '../../model/replica.js';
import { MODES } from '../../model/rule.js';
import { MAX_REPLICAS, ROSTER_LIFE_MS, type Roster, type SeenReplica } from '../roster.js';
import type { RedisLink } from './redis-link.js';
import { Script, toPairs } from './script.js';

/*
 *   P:replicas       hash        the replicas as JSON, by name
 *   P:replicas:seen  sorted set  their names by when they showed themselves, in milliseconds of Redis' clock
 */

const NOW = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)`;

/** ARGV: name, JSON, life, the most replicas. */
const SHOW = new Script(`${NOW}
local seen, all = P .. ':replicas:seen', P .. ':replicas'
redis.call('ZADD', seen, now, ARGV[1])
redis.call('HSET', all, ARGV[1], ARGV[2])
local gone = redis.call('ZRANGEBYSCORE', seen, '-inf', now - ARGV[3])
for _, name in ipairs(redis.call('ZRANGE', seen, 0, -ARGV[4] - 1)) do gone[#gone + 1] = name end
for _, name in ipairs(gone) do
  redis.call('ZREM', seen, name)
  redis.call('HDEL', all, name)
end
redis.call('PEXPIRE', seen, ARGV[3])
redis.call('PEXPIRE', all, ARGV[3])
return 1`);

/** ARGV: name. */
const LEAVE = new Script(`
redis.call('ZREM', P .. ':replicas:seen', ARGV[1])
redis.call('HDEL', P .. ':replicas', ARGV[1])
return 1`);

/** ARGV: life. Gives JSON and milliseconds since, for each. */
const LIST = new Script(`${NOW}
local found = {}
for _, name in ipairs(redis.call('ZRANGEBYSCORE', P .. ':replicas:seen', now - ARGV[1], '+inf')) do
  local json = redis.call('HGET', P .. ':replicas', name)
  if json then
    found[#found + 1] = json
    found[#found + 1] = string.format('%.0f', math.max(0, now - redis.call('ZSCORE', P .. ':replicas:seen', name)))
  end
end
return found`);

const TEXT = z.string().max(200);
/** Of another release too, which may know other parts. */
const REPLICA = z.object({
  replica: TEXT,
  host: TEXT,
  address: TEXT.nullable(),
  version: TEXT,
  startedAt: TEXT,
  parts: z.array(TEXT).max(16),
  mapping: z.object({ mode: z.enum(MODES), revision: TEXT, readAt: TEXT }),
});

/** `link`: a connection whose commands do not wait behind jobs. */
export function createBullmqRoster(link: RedisLink): Roster {
  return {
    async show(replica) {
      await link.runIfRoom(SHOW, replica.replica, JSON.stringify(replica), ROSTER_LIFE_MS, MAX_REPLICAS);
    },

    async leave(name) {
      await link.run(LEAVE, name);
    },

    async list() {
      const found = toPairs(await link.run(LIST, ROSTER_LIFE_MS));
      const replicas = found.flatMap(([json, seenMs]): readonly SeenReplica[] => {
        const replica = parseReplica(json);
        return replica === undefined ? [] : [{ ...replica, seenMs: Number(seenMs) }];
      });
      return replicas.toSorted((a, b) => compareText(a.replica, b.replica));
    },
  };
}

/** Undefined for a text that no replica wrote. */
function parseReplica(text: string): Replica | undefined {
  try {
    return REPLICA.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
