import { Script } from './script.js';

/*
 * P:pending:K  hash   recorded and not settled, by id: a number that orders, a line break, the draft as JSON
 * P:pending    set    keys that have some
 * P:written:K  hash   digest by subject
 * P:holds:K    hash   hold as JSON by subject
 * P:held       set    keys that have some
 * P:revisions  hash   the last revision by subject, of the subjects settled lately
 * P:revisions:earlier  the same of those before; who is in neither goes on above P:revisions:floor
 * P:outbox     zset   ids of settled decisions to publish, in the order of settlement
 * P:bodies     hash   their JSON, P:numbers hash their revision (JSON that Lua wrote again would not be the same)
 * P:settled    zset   the last settled ids, so that a repeated step changes nothing
 * P:seq        the number that orders
 */

// One call for many values: a batch of thousands must not stop Redis for longer than it has to. Lua's `unpack` takes
// no more than some thousands.
const MANY = `
local function many(command, name, values)
  for from = 1, #values, 1000 do
    redis.call(command, name, unpack(values, from, math.min(from + 999, #values)))
  end
end
`;

/** ARGV: key, number of replaced ids, these; then id, draft. */
export const RECORD = new Script(`
local key, replaced = ARGV[1], tonumber(ARGV[2])
for i = 3, 2 + replaced do redis.call('HDEL', P .. ':pending:' .. key, ARGV[i]) end
local seq, isPut = redis.call('INCRBY', P .. ':seq', #ARGV) - #ARGV, false
for i = 3 + replaced, #ARGV, 2 do
  if not redis.call('ZSCORE', P .. ':settled', ARGV[i]) then
    redis.call('HSETNX', P .. ':pending:' .. key, ARGV[i], (seq + i) .. '\\n' .. ARGV[i + 1])
    isPut = true
  end
end
if isPut or redis.call('EXISTS', P .. ':pending:' .. key) == 1 then
  redis.call('SADD', P .. ':pending', key)
else
  redis.call('SREM', P .. ':pending', key)
end
return 1`);

/**
 * ARGV: key, how many settled ids and how many subjects to keep, number of decisions, number of digests; then id,
 * subject, decision; then subject, digest or nothing; then subject, hold or nothing. Where every decision was settled
 * before, this is a repetition: its update was made too, and may be out of date now. Gives id, revision of each fresh one,
 * and of each one that was settled before and is not published yet.
 */
export const SETTLE = new Script(`${MANY}
local key, kept, subjects = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local decisions, digests = tonumber(ARGV[4]), tonumber(ARGV[5])
local revisions, earlier, floor = P .. ':revisions', P .. ':revisions:earlier', P .. ':revisions:floor'

local function nextRevision(subject)
  local revision = redis.call('HINCRBY', revisions, subject, 1)
  if revision > 1 then return revision end
  revision = (redis.call('HGET', earlier, subject) or redis.call('GET', floor) or 0) + 1
  if revision > 1 then redis.call('HSET', revisions, subject, revision) end
  return revision
end

local at, seq = 6, redis.call('INCRBY', P .. ':seq', decisions) - decisions
local isFresh, ids, ordered, numbers, bodies, known = {}, {}, {}, {}, {}, {}
for _ = 1, decisions do
  local id, subject = ARGV[at], ARGV[at + 1]
  if not isFresh[id] and not redis.call('ZSCORE', P .. ':settled', id) then
    isFresh[id] = true
    seq = seq + 1
    local n = #ids
    ids[n + 1] = id
    ordered[2 * n + 1], ordered[2 * n + 2] = seq, id
    numbers[2 * n + 1], numbers[2 * n + 2] = id, nextRevision(subject)
    bodies[2 * n + 1], bodies[2 * n + 2] = id, ARGV[at + 2]
  else
    local revision = redis.call('HGET', P .. ':numbers', id)
    if revision then known[#known + 1], known[#known + 2] = id, revision end
  end
  at = at + 3
end
many('ZADD', P .. ':settled', ordered)
many('HDEL', P .. ':pending:' .. key, ids)
many('HSET', P .. ':numbers', numbers)
many('HSET', P .. ':bodies', bodies)
many('ZADD', P .. ':outbox', ordered)
if redis.call('EXISTS', P .. ':pending:' .. key) == 0 then redis.call('SREM', P .. ':pending', key) end
redis.call('ZREMRANGEBYRANK', P .. ':settled', 0, -kept - 1)
if redis.call('HLEN', revisions) >= subjects then
  -- A subject that is forgotten goes on above all that were.
  local highest = tonumber(redis.call('GET', floor) or 0)
  for _, revision in ipairs(redis.call('HVALS', earlier)) do highest = math.max(highest, revision) end
  redis.call('SET', floor, highest)
  redis.call('UNLINK', earlier)
  redis.call('RENAME', revisions, earlier)
end
if decisions > 0 and #ids == 0 then return { {}, known } end

local function put(name, subject, value)
  if value == '' then redis.call('HDEL', name, subject) else redis.call('HSET', name, subject, value) end
end
for _ = 1, digests do
  put(P .. ':written:' .. key, ARGV[at], ARGV[at + 1])
  at = at + 2
end
if at > #ARGV then return { numbers, known } end
while at < #ARGV do
  put(P .. ':holds:' .. key, ARGV[at], ARGV[at + 1])
  at = at + 2
end
if redis.call('EXISTS', P .. ':holds:' .. key) == 1 then
  redis.call('SADD', P .. ':held', key)
else
  redis.call('SREM', P .. ':held', key)
end
return { numbers, known }`);

/**
 * Makes a settlement again that Redis may have forgotten. ARGV: key; then id, subject, decision, revision, 0 or 1 (published
 * already). Gives the number of decisions that were forgotten.
 */
export const RESTORE = new Script(`
local key, restored = ARGV[1], 0
local revisions, earlier, floor = P .. ':revisions', P .. ':revisions:earlier', P .. ':revisions:floor'
for at = 2, #ARGV, 5 do
  local id, subject, revision = ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 3])
  if not redis.call('ZSCORE', P .. ':settled', id) then
    restored = restored + 1
    local known = redis.call('HGET', revisions, subject) or redis.call('HGET', earlier, subject)
      or redis.call('GET', floor) or 0
    redis.call('HSET', revisions, subject, math.max(tonumber(known), revision))
    redis.call('HDEL', P .. ':pending:' .. key, id)
    local seq = redis.call('INCR', P .. ':seq')
    redis.call('ZADD', P .. ':settled', seq, id)
    if ARGV[at + 4] == '0' then
      redis.call('HSET', P .. ':numbers', id, revision)
      redis.call('HSET', P .. ':bodies', id, ARGV[at + 2])
      redis.call('ZADD', P .. ':outbox', seq, id)
    end
  elseif ARGV[at + 4] == '1' then
    redis.call('ZREM', P .. ':outbox', id)
    redis.call('HDEL', P .. ':bodies', id)
    redis.call('HDEL', P .. ':numbers', id)
  end
end
if redis.call('EXISTS', P .. ':pending:' .. key) == 0 then redis.call('SREM', P .. ':pending', key) end
return restored`);

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
export const PUBLISHED = new Script(`${MANY}
many('ZREM', P .. ':outbox', ARGV)
many('HDEL', P .. ':bodies', ARGV)
many('HDEL', P .. ':numbers', ARGV)
return 1`);

/**
 * ARGV: the most, or -1 for all; the key and the subject after which they begin. Gives reason, count of all holds; then
 * key, subject, hold of these, sorted by key and subject. The quotes of a text within the JSON are escaped, so the first
 * match is the reason itself.
 */
export const HOLDS = new Script(`
local most, afterKey, afterSubject = tonumber(ARGV[1]), ARGV[2], ARGV[3]
local keys, counts, found, given = redis.call('SMEMBERS', P .. ':held'), {}, {}, 0
table.sort(keys)
for _, key in ipairs(keys) do
  local values = redis.call('HGETALL', P .. ':holds:' .. key)
  local bySubject, subjects = {}, {}
  for at = 1, #values, 2 do
    local reason = string.match(values[at + 1], '"reason":"([^"]*)"') or ''
    counts[reason] = (counts[reason] or 0) + 1
    subjects[#subjects + 1] = values[at]
    bySubject[values[at]] = values[at + 1]
  end
  if given ~= most and key >= afterKey then
    table.sort(subjects)
    for _, subject in ipairs(subjects) do
      if given ~= most and (key > afterKey or subject > afterSubject) then
        found[#found + 1] = key
        found[#found + 1] = subject
        found[#found + 1] = bySubject[subject]
        given = given + 1
      end
    end
  end
end
local reasons = {}
for reason, count in pairs(counts) do
  reasons[#reasons + 1] = reason
  reasons[#reasons + 1] = tostring(count)
end
return { reasons, found }`);
