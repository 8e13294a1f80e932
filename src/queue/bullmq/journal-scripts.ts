import { Script } from './script.js';

/*
 * P:pending:K  hash   recorded and not settled, by id: a number that orders, a line break, the draft as JSON
 * P:pending    set    keys that have some
 * P:written:K  hash   digest by subject
 * P:holds:K    hash   hold as JSON by subject
 * P:held       set    keys that have some
 * P:revisions  hash   the last revision by subject
 * P:outbox     zset   ids of settled decisions to publish, in the order of settlement
 * P:bodies     hash   their JSON, P:numbers hash their revision (JSON that Lua wrote again would not be the same)
 * P:settled    zset   the last settled ids, so that a repeated step changes nothing
 * P:seq        the number that orders
 */

/** ARGV: key, number of replaced ids, these; then id, draft. */
export const RECORD = new Script(`
local key, replaced = ARGV[1], tonumber(ARGV[2])
for i = 3, 2 + replaced do redis.call('HDEL', P .. ':pending:' .. key, ARGV[i]) end
if redis.call('EXISTS', P .. ':pending:' .. key) == 0 then redis.call('SREM', P .. ':pending', key) end
for i = 3 + replaced, #ARGV, 2 do
  if not redis.call('ZSCORE', P .. ':settled', ARGV[i]) then
    local seq = redis.call('INCR', P .. ':seq')
    redis.call('HSETNX', P .. ':pending:' .. key, ARGV[i], seq .. '\\n' .. ARGV[i + 1])
    redis.call('SADD', P .. ':pending', key)
  end
end
return 1`);

/**
 * ARGV: key, how many settled ids to keep, number of decisions, number of digests; then id, subject, decision;
 * then subject, digest or nothing; then subject, hold or nothing. Where every decision was settled before, this
 * is a repetition: its update was made too, and may be out of date now.
 */
export const SETTLE = new Script(`
local key, kept, decisions, digests = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local at, fresh = 5, 0
for _ = 1, decisions do
  local id, subject = ARGV[at], ARGV[at + 1]
  if not redis.call('ZSCORE', P .. ':settled', id) then
    fresh = fresh + 1
    local seq = redis.call('INCR', P .. ':seq')
    redis.call('ZADD', P .. ':settled', seq, id)
    redis.call('HDEL', P .. ':pending:' .. key, id)
    redis.call('HSET', P .. ':numbers', id, redis.call('HINCRBY', P .. ':revisions', subject, 1))
    redis.call('HSET', P .. ':bodies', id, ARGV[at + 2])
    redis.call('ZADD', P .. ':outbox', seq, id)
  end
  at = at + 3
end
if redis.call('EXISTS', P .. ':pending:' .. key) == 0 then redis.call('SREM', P .. ':pending', key) end
redis.call('ZREMRANGEBYRANK', P .. ':settled', 0, -kept - 1)
if decisions > 0 and fresh == 0 then return 0 end

local function put(name, subject, value)
  if value == '' then redis.call('HDEL', name, subject) else redis.call('HSET', name, subject, value) end
end
for _ = 1, digests do
  put(P .. ':written:' .. key, ARGV[at], ARGV[at + 1])
  at = at + 2
end
while at < #ARGV do
  put(P .. ':holds:' .. key, ARGV[at], ARGV[at + 1])
  at = at + 2
end
if redis.call('EXISTS', P .. ':holds:' .. key) == 1 then
  redis.call('SADD', P .. ':held', key)
else
  redis.call('SREM', P .. ':held', key)
end
return fresh`);

/** ARGV: keys. Gives for each: pending drafts as stored; subjects and digests; subjects and holds. */
export const RECORDS = new Script(`
local found = {}
for index, key in ipairs(ARGV) do
  found[index] = {
    redis.call('HVALS', P .. ':pending:' .. key),
    redis.call('HGETALL', P .. ':written:' .. key),
    redis.call('HGETALL', P .. ':holds:' .. key)
  }
end
return found`);

/** ARGV: the most. Gives revision, decision. */
export const OUTBOX = new Script(`
local found = {}
for _, id in ipairs(redis.call('ZRANGE', P .. ':outbox', 0, tonumber(ARGV[1]) - 1)) do
  found[#found + 1] = redis.call('HGET', P .. ':numbers', id)
  found[#found + 1] = redis.call('HGET', P .. ':bodies', id)
end
return found`);

/** ARGV: ids. */
export const PUBLISHED = new Script(`
for _, id in ipairs(ARGV) do
  redis.call('ZREM', P .. ':outbox', id)
  redis.call('HDEL', P .. ':bodies', id)
  redis.call('HDEL', P .. ':numbers', id)
end
return 1`);

/** Gives key, hold; sorted by key. */
export const HOLDS = new Script(`
local keys, found = redis.call('SMEMBERS', P .. ':held'), {}
table.sort(keys)
for _, key in ipairs(keys) do
  for _, hold in ipairs(redis.call('HVALS', P .. ':holds:' .. key)) do
    found[#found + 1] = key
    found[#found + 1] = hold
  end
end
return found`);
