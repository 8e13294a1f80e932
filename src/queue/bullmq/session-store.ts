import type { Clock } from '../../clock.js';
import { MOST_SESSIONS, MOST_SESSIONS_OF_ONE, type SessionStore } from '../session-store.js';
import type { RedisLink } from './redis-link.js';
import { Script, toPairs } from './script.js';

/*
 *   P:sessions        hash        bodies by the ID of the session
 *   P:sessions:ends   sorted set  IDs by when they end, in milliseconds
 *   P:sessions:began  hash        when each began, in milliseconds, by its ID
 *   P:sessions:names  sorted set  `name ID`, in the order of bytes
 *   P:sessions:of     hash        the names of each session, with spaces between them, by its ID
 */

/** Names are percent-encoded and so have no space. `!` is the byte after the space. */
const PARTS = `
local all, ends, named, of = P .. ':sessions', P .. ':sessions:ends', P .. ':sessions:names', P .. ':sessions:of'
local began = P .. ':sessions:began'
local function remove(id)
  for name in string.gmatch(redis.call('HGET', of, id) or '', '%S+') do
    redis.call('ZREM', named, name .. ' ' .. id)
  end
  redis.call('HDEL', all, id)
  redis.call('HDEL', of, id)
  redis.call('HDEL', began, id)
  redis.call('ZREM', ends, id)
end
local function ids(name)
  local found = {}
  for _, each in ipairs(redis.call('ZRANGEBYLEX', named, '[' .. name .. ' ', '(' .. name .. '!')) do
    found[#found + 1] = string.match(each, '%S+$')
  end
  return found
end`;

/** ARGV: ID, names, person, body, end, now, the most of one, the most of all, when it began. */
const ADD = new Script(`${PARTS}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', ends, '-inf', ARGV[6])) do remove(id) end
remove(ARGV[1])
redis.call('HSET', all, ARGV[1], ARGV[4])
redis.call('HSET', of, ARGV[1], ARGV[2])
redis.call('HSET', began, ARGV[1], ARGV[9])
redis.call('ZADD', ends, ARGV[5], ARGV[1])
for name in string.gmatch(ARGV[2], '%S+') do redis.call('ZADD', named, 0, name .. ' ' .. ARGV[1]) end
local own = ids(ARGV[3])
table.sort(own, function(a, b)
  local one, two = tonumber(redis.call('ZSCORE', ends, a)), tonumber(redis.call('ZSCORE', ends, b))
  if one == two then return a < b end
  return one > two
end)
for at = tonumber(ARGV[7]) + 1, #own do remove(own[at]) end
for _, id in ipairs(redis.call('ZRANGE', ends, 0, -tonumber(ARGV[8]) - 1)) do remove(id) end
return 1`);

/** ARGV: ID, now. Gives body and end. */
const GET = new Script(`${PARTS}
local body, score = redis.call('HGET', all, ARGV[1]), redis.call('ZSCORE', ends, ARGV[1])
if not body or not score or tonumber(score) <= tonumber(ARGV[2]) then return {} end
return { body, score }`);

/** ARGV: ID, end, now. */
const EXTEND = new Script(`${PARTS}
local score = redis.call('ZSCORE', ends, ARGV[1])
if score and tonumber(score) > tonumber(ARGV[3]) then redis.call('ZADD', ends, ARGV[2], ARGV[1]) end
return 1`);

/** ARGV: ID. */
const END = new Script(`${PARTS}
remove(ARGV[1])
return 1`);

/** ARGV: name, the last instant. */
const END_NAMED = new Script(`${PARTS}
for _, id in ipairs(ids(ARGV[1])) do
  if tonumber(redis.call('HGET', began, id) or 0) <= tonumber(ARGV[2]) then remove(id) end
end
return 1`);

/** `link`: a connection whose commands do not wait behind jobs. A full Redis takes no new session. */
export function createBullmqSessionStore(link: RedisLink, clock: Pick<Clock, 'now'>): SessionStore {
  return {
    async add({ id, names, body, beganAt, endsAt }) {
      const encoded = names.map(encodeURIComponent);
      const [person = ''] = encoded;
      const limits = [MOST_SESSIONS_OF_ONE, MOST_SESSIONS];
      const values = [encoded.join(' '), person, body, endsAt, clock.now(), ...limits, beganAt];
      await link.runIfRoom(ADD, id, ...values);
    },

    async get(id) {
      const [found] = toPairs(await link.run(GET, id, clock.now()));
      return found && { body: found[0], endsAt: Number(found[1]) };
    },

    async extend(id, endsAt) {
      await link.runIfRoom(EXTEND, id, endsAt, clock.now());
    },

    async end(id) {
      await link.run(END, id);
    },

    async endNamed(name, beganUntil = Number.MAX_SAFE_INTEGER) {
      await link.run(END_NAMED, encodeURIComponent(name), beganUntil);
    },
  };
}
