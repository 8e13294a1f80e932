import { Script } from './script.js';

/*
 * What must not be lost (`P` is the prefix, `K` a key's text):
 *   P:triggers:K  list    the triggers since the key's last success, oldest first, as JSON
 *   P:dirty       set     keys that have triggers and are not parked: each must come to a run
 *   P:urgent      set     keys with an urgent trigger among them
 *   P:fresh       set     keys to which an urgent trigger came since their last run began
 *   P:due         hash    when a key that failed or asked to wait may run again, ms since the epoch
 *   P:attempts    hash    failed runs in a row
 *   P:parked      hash    parked keys, as JSON
 *   P:runs        hash    the token of the run that may settle the key: a run that lost its lock may not
 * The BullMQ job of a key (its id is the key) follows from these and can be made again from them at any time. No
 * script reads BullMQ's own keys: their layout may change with any version.
 */

export const APPEND_ONE = `
local function append(key, urgent, body)
  redis.call('RPUSH', P .. ':triggers:' .. key, body)
  redis.call('SADD', P .. ':dirty', key)
  if redis.call('HDEL', P .. ':parked', key) == 1 then
    redis.call('HDEL', P .. ':attempts', key)
    redis.call('HDEL', P .. ':due', key)
  end
  if urgent == '1' then
    redis.call('SADD', P .. ':urgent', key)
    redis.call('SADD', P .. ':fresh', key)
    redis.call('HDEL', P .. ':due', key)
  end
end
`;

/** ARGV: key, 0 or 1 (urgent), trigger; again and again. */
export const APPEND = new Script(`${APPEND_ONE}
for i = 1, #ARGV, 3 do append(ARGV[i], ARGV[i + 1], ARGV[i + 2]) end
return 1`);

/** ARGV: keys. Gives key, 0 or 1 (urgent), due; for each key that must run. */
export const PLAN = new Script(`
local plans = {}
for _, key in ipairs(ARGV) do
  if redis.call('SISMEMBER', P .. ':dirty', key) == 1 then
    plans[#plans + 1] = key
    plans[#plans + 1] = redis.call('SISMEMBER', P .. ':urgent', key)
    plans[#plans + 1] = redis.call('HGET', P .. ':due', key) or '0'
  end
end
return plans`);

/** ARGV: key, token. Gives the failed runs before this one and the triggers; nothing for a key that need not run. */
export const TAKE = new Script(`
local key = ARGV[1]
if redis.call('SISMEMBER', P .. ':dirty', key) == 0 then return {} end
redis.call('HSET', P .. ':runs', key, ARGV[2])
redis.call('SREM', P .. ':fresh', key)
redis.call('HDEL', P .. ':due', key)
local triggers = redis.call('LRANGE', P .. ':triggers:' .. key, 0, -1)
table.insert(triggers, 1, redis.call('HGET', P .. ':attempts', key) or '0')
return triggers`);

const IF_MINE = `
local key = ARGV[1]
if redis.call('HGET', P .. ':runs', key) ~= ARGV[2] then return 0 end
redis.call('HDEL', P .. ':runs', key)
`;

/** ARGV: key, token, number of triggers read. 0 if the run is not the key's any more. */
export const DONE = new Script(`${IF_MINE}
redis.call('LTRIM', P .. ':triggers:' .. key, ARGV[3], -1)
redis.call('HDEL', P .. ':attempts', key)
redis.call('HDEL', P .. ':due', key)
if redis.call('EXISTS', P .. ':triggers:' .. key) == 0 then redis.call('SREM', P .. ':dirty', key) end
if redis.call('SISMEMBER', P .. ':fresh', key) == 0 then redis.call('SREM', P .. ':urgent', key) end
return 1`);

/** ARGV: key, token, due. */
export const WAIT = new Script(`${IF_MINE}
if redis.call('SISMEMBER', P .. ':fresh', key) == 0 then redis.call('HSET', P .. ':due', key, ARGV[3]) end
return 1`);

/**
 * ARGV: key, token, number of triggers read, failed runs, due, what to park with or nothing. What came during
 * the last run has not been tried, so the key is not parked then but begins a new count.
 */
export const FAILED = new Script(`${IF_MINE}
local exhausted = ARGV[6] ~= ''
if exhausted and redis.call('LLEN', P .. ':triggers:' .. key) <= tonumber(ARGV[3]) then
  redis.call('SREM', P .. ':dirty', key)
  redis.call('HSET', P .. ':parked', key, ARGV[6])
  return 1
end
if exhausted then
  redis.call('HDEL', P .. ':attempts', key)
else
  redis.call('HSET', P .. ':attempts', key, ARGV[4])
end
if redis.call('SISMEMBER', P .. ':fresh', key) == 0 then redis.call('HSET', P .. ':due', key, ARGV[5]) end
return 1`);

/** ARGV: key. */
export const UNPARK = new Script(`
local key = ARGV[1]
if redis.call('HDEL', P .. ':parked', key) == 0 then return 0 end
redis.call('HDEL', P .. ':attempts', key)
redis.call('HDEL', P .. ':due', key)
redis.call('SADD', P .. ':dirty', key)
return 1`);

/** ARGV: key. 0 if it is not parked, 2 if it has an order. */
export const DROP = new Script(`
local key = ARGV[1]
if redis.call('HEXISTS', P .. ':parked', key) == 0 then return 0 end
for _, body in ipairs(redis.call('LRANGE', P .. ':triggers:' .. key, 0, -1)) do
  if cjson.decode(body).order ~= nil then return 2 end
end
redis.call('DEL', P .. ':triggers:' .. key)
for _, name in ipairs({':parked', ':attempts', ':due'}) do redis.call('HDEL', P .. name, key) end
for _, name in ipairs({':urgent', ':fresh'}) do redis.call('SREM', P .. name, key) end
return 1`);
