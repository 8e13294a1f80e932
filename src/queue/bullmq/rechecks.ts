import type { Recheck, Rechecks } from '../rechecks.js';
import { parseRecheck } from '../stored.js';
import type { ScriptLink } from './redis-link.js';
import { Script, toTexts } from './script.js';
import { batches } from './triggers.js';

/*
 *   P:rechecks:X        sorted set  ids by when they are due, of provider X
 *   P:rechecks-of:X     hash        id to recheck, as JSON
 */

// ZADD first: it may refuse the number.
export const PUT_ONE = `
local function put(provider, id, due, body)
  redis.call('ZADD', P .. ':rechecks:' .. provider, due, id)
  redis.call('HSET', P .. ':rechecks-of:' .. provider, id, body)
end
`;

/** ARGV: provider; then id, due, JSON; again and again. */
const PUT = new Script(`${PUT_ONE}
for i = 2, #ARGV, 3 do put(ARGV[1], ARGV[i], ARGV[i + 1], ARGV[i + 2]) end
return 1`);

/** ARGV: provider, now, the most. Gives JSON. */
const DUE = new Script(`
local ids = redis.call('ZRANGEBYSCORE', P .. ':rechecks:' .. ARGV[1], '-inf', ARGV[2], 'LIMIT', 0, ARGV[3])
local found = {}
for i, id in ipairs(ids) do found[i] = redis.call('HGET', P .. ':rechecks-of:' .. ARGV[1], id) end
return found`);

/** ARGV: provider; then id, JSON as it was, due, JSON as it shall be or nothing; again and again. */
const MOVE = new Script(`
local due, bodies = P .. ':rechecks:' .. ARGV[1], P .. ':rechecks-of:' .. ARGV[1]
for i = 2, #ARGV, 4 do
  if redis.call('HGET', bodies, ARGV[i]) == ARGV[i + 1] then
    if ARGV[i + 3] == '' then
      redis.call('HDEL', bodies, ARGV[i])
      redis.call('ZREM', due, ARGV[i])
    else
      redis.call('HSET', bodies, ARGV[i], ARGV[i + 3])
      redis.call('ZADD', due, ARGV[i + 2], ARGV[i])
    end
  end
end
return 1`);

/** The values of `PUT_ONE`: id, due, JSON. */
export function toPut(recheck: Recheck): (string | number)[] {
  return [recheck.id, Math.ceil(recheck.dueAt), JSON.stringify(recheck)];
}

export function createBullmqRechecks(link: ScriptLink): Rechecks {
  return {
    async put(provider, rechecks) {
      for (const batch of batches(rechecks)) {
        await link.run(PUT, encodeURIComponent(provider), ...batch.flatMap(toPut));
      }
    },

    async due(provider, now, most) {
      return toTexts(await link.run(DUE, encodeURIComponent(provider), now, most)).map(parseRecheck);
    },

    async move(provider, moves) {
      for (const batch of batches(moves)) {
        const values = batch.flatMap(({ from, to }) => [
          from.id,
          JSON.stringify(from),
          Math.ceil(to?.dueAt ?? 0),
          to === undefined ? '' : JSON.stringify(to),
        ]);
        await link.run(MOVE, encodeURIComponent(provider), ...values);
      }
    },

    count: (provider) =>
      link.call((redis) => redis.zcard(`${link.prefix}:rechecks:${encodeURIComponent(provider)}`)),
  };
}
