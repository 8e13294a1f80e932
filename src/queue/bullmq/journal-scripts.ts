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

// Each call of Redis from Lua costs as much as its work, so there is one for many values, of many steps. Lua's `unpack`
// takes no more than some thousands.
const MANY = `
local function many(command, name, values)
  for from = 1, #values, 1000 do
    redis.call(command, name, unpack(values, from, math.min(from + 999, #values)))
  end
end
`;

/** One reply for each value. */
const ASK = `
local function ask(command, name, values)
  local found = {}
  for from = 1, #values, 1000 do
    local replies = redis.call(command, name, unpack(values, from, math.min(from + 999, #values)))
    for index = 1, #replies do found[from + index - 1] = replies[index] end
  end
  return found
end
`;

/*
 * What RECORD and SETTLE share. What Redis refuses for want of memory, or as a replica, it refuses before a change. A wrong
 * type of a value of one key fails its step alone: `failed` has the number of the step and the error. Other damage fails all.
 */
const STEPS = `${MANY}${ASK}
local failed, step, failure = {}, 0, nil
local function try(...)
  local reply = redis.pcall(...)
  if type(reply) == 'table' and reply.err then
    -- Any other error is not the key's own. It comes again, and ends the script.
    if not string.find(reply.err, 'WRONGTYPE', 1, true) then redis.call(...) end
    failure = reply.err
  end
end
local function endStep()
  if failure then failed[#failed + 1], failed[#failed + 2] = step, failure end
end
local function keep(set, isIn)
  local put, gone = {}, {}
  for key, is in pairs(isIn) do
    local list = is == 1 and put or gone
    list[#list + 1] = key
  end
  many('SADD', set, put)
  many('SREM', set, gone)
end
`;

/**
 * ARGV of each step: key, number of replaced ids, number of drafts; the replaced ids; id, draft of each. Gives the steps
 * that failed, each with its error; then nothing.
 */
export const RECORD = new Script(`${STEPS}
local at, ids = 1, {}
while at <= #ARGV do
  local drafts = tonumber(ARGV[at + 2])
  at = at + 3 + tonumber(ARGV[at + 1])
  for _ = 1, drafts do
    ids[#ids + 1] = ARGV[at]
    at = at + 2
  end
end
local settled, isPending, n, seq = ask('ZMSCORE', P .. ':settled', ids), {}, 0, nil
at = 1
while at <= #ARGV do
  local key, replaced, drafts = ARGV[at], tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  local name, isPut = P .. ':pending:' .. key, false
  at, step, failure = at + 3, step + 1, nil
  for _ = 1, replaced do
    try('HDEL', name, ARGV[at])
    at = at + 1
  end
  for _ = 1, drafts do
    n = n + 1
    if not settled[n] then
      seq = seq or redis.call('INCRBY', P .. ':seq', #ids) - #ids
      try('HSETNX', name, ARGV[at], (seq + n) .. '\\n' .. ARGV[at + 1])
      isPut = true
    end
    at = at + 2
  end
  if not failure then isPending[key] = isPut and 1 or redis.call('EXISTS', name) end
  endStep()
end
keep(P .. ':pending', isPending)
return { failed, {} }`);

/**
 * ARGV: how many settled ids and how many subjects to keep. Then of each step: key, number of decisions, of digests, and of
 * holds; then id, subject, decision; then subject, digest or nothing; then subject, hold or nothing. Where every decision
 * of a step was settled before, it is a repetition: its update was made too, and may be out of date now. Gives the steps that
 * failed, each with its error; then for each decision its revision, as a negative number if it was settled before and is not
 * published yet; 0 if it is published, or its step failed.
 */
export const SETTLE = new Script(`${STEPS}
local kept, subjects = tonumber(ARGV[1]), tonumber(ARGV[2])
local revisions, earlier, floor = P .. ':revisions', P .. ':revisions:earlier', P .. ':revisions:floor'

local at, ids, subjectOf = 3, {}, {}
while at <= #ARGV do
  local decisions = tonumber(ARGV[at + 1])
  local others = tonumber(ARGV[at + 2]) + tonumber(ARGV[at + 3])
  at = at + 4
  for _ = 1, decisions do
    ids[#ids + 1], subjectOf[#ids + 1] = ARGV[at], ARGV[at + 1]
    at = at + 3
  end
  at = at + 2 * others
end
local seq = redis.call('INCRBY', P .. ':seq', #ids) - #ids
local settled, known = ask('ZMSCORE', P .. ':settled', ids), ask('HMGET', revisions, subjectOf)

local base, hasEarlier
local revisionBySubject = {}
local function nextRevision(n)
  local subject = subjectOf[n]
  local revision = revisionBySubject[subject] or known[n]
  if not revision then
    if base == nil then
      base, hasEarlier = redis.call('GET', floor) or 0, redis.call('EXISTS', earlier) == 1
    end
    revision = hasEarlier and redis.call('HGET', earlier, subject) or base
  end
  revisionBySubject[subject] = revision + 1
  return revision + 1
end

local function put(name, from, count)
  for index = from, from + 2 * (count - 1), 2 do
    if failure then return end
    if ARGV[index + 1] == '' then
      try('HDEL', name, ARGV[index])
    else
      try('HSET', name, ARGV[index], ARGV[index + 1])
    end
  end
end

local drafts, isPending, isHeld, revisionById = {}, {}, {}, {}
local ordered, numbered, bodies, replies, n = {}, {}, {}, {}, 0
at = 3
while at <= #ARGV do
  local key, decisions = ARGV[at], tonumber(ARGV[at + 1])
  local digests, holds = tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
  local first, fresh, isFresh = at + 4, {}, {}
  at, step, failure = first + 3 * decisions, step + 1, nil
  for index = 1, decisions do
    local id = ids[n + index]
    if not settled[n + index] and not revisionById[id] and not isFresh[id] then
      fresh[#fresh + 1] = id
      isFresh[id] = true
    end
  end
  if decisions == 0 or #fresh > 0 then
    put(P .. ':written:' .. key, at, digests)
    put(P .. ':holds:' .. key, at + 2 * digests, holds)
    if holds > 0 and not failure then isHeld[key] = redis.call('EXISTS', P .. ':holds:' .. key) end
  end
  -- What failed is not settled, and its drafts stay.
  if failure then isFresh = {} else drafts[#drafts + 1] = { key, fresh, step } end
  for index = 1, decisions do
    local id, reply = ids[n + index], 0
    if isFresh[id] then
      isFresh[id] = nil
      reply = nextRevision(n + index)
      revisionById[id] = reply
      ordered[#ordered + 1], ordered[#ordered + 2] = seq + n + index, id
      numbered[#numbered + 1], numbered[#numbered + 2] = id, reply
      bodies[#bodies + 1], bodies[#bodies + 2] = id, ARGV[first + 3 * index - 1]
    elseif not failure then
      reply = -(revisionById[id] or redis.call('HGET', P .. ':numbers', id) or 0)
    end
    replies[n + index] = reply
  end
  n = n + decisions
  at = at + 2 * (digests + holds)
  endStep()
end

many('HSET', P .. ':bodies', bodies)
many('HSET', P .. ':numbers', numbered)
many('ZADD', P .. ':outbox', ordered)
local last = {}
for subject, revision in pairs(revisionBySubject) do
  last[#last + 1], last[#last + 2] = subject, revision
end
many('HSET', revisions, last)
many('ZADD', P .. ':settled', ordered)
-- Whatever fails before, no draft is lost.
for _, each in ipairs(drafts) do
  local key, ids = each[1], each[2]
  local name = P .. ':pending:' .. key
  step, failure = each[3], nil
  for from = 1, #ids, 1000 do try('HDEL', name, unpack(ids, from, math.min(from + 999, #ids))) end
  if #ids > 0 and not failure then isPending[key] = redis.call('EXISTS', name) end
  endStep()
end
keep(P .. ':pending', isPending)
keep(P .. ':held', isHeld)
redis.call('ZREMRANGEBYRANK', P .. ':settled', 0, -kept - 1)
if redis.call('HLEN', revisions) >= subjects then
  -- A subject that is forgotten goes on above all that were.
  local highest = tonumber(redis.call('GET', floor) or 0)
  for _, revision in ipairs(redis.call('HVALS', earlier)) do highest = math.max(highest, revision) end
  redis.call('SET', floor, highest)
  redis.call('UNLINK', earlier)
  redis.call('RENAME', revisions, earlier)
end
return { failed, replies }`);

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
export const OUTBOX = new Script(`${ASK}
local ids, found = redis.call('ZRANGE', P .. ':outbox', 0, tonumber(ARGV[1]) - 1), {}
local numbers, bodies = ask('HMGET', P .. ':numbers', ids), ask('HMGET', P .. ':bodies', ids)
for index = 1, #ids do found[2 * index - 1], found[2 * index] = numbers[index], bodies[index] end
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
