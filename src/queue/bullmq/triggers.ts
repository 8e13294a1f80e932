import { randomUUID } from 'node:crypto';
import { inParts } from '../../in-parts.js';
import { formatKey } from '../../model/key.js';
import type { Trigger } from '../../model/trigger.js';
import type { TriggerStore, Unsettled } from '../inbox.js';
import { parseFailure, parseTrigger } from '../stored.js';
import type { ScriptLink } from './redis-link.js';
import { Script, toLists, toPairs, toTexts } from './script.js';

/*
 *   P:inbox           sorted set  ID and key of each trigger that is not settled, by its place in the order of arrival
 *   P:inbox:of:KEY    hash        ID to trigger, as JSON, of the triggers of this key
 *   P:inbox:keys      set         keys that have such triggers
 *   P:inbox:last      string      the last place that was given
 *   P:failures        hash        key to what is known of its failures, as JSON
 */

/** `token`: of the call. A Redis that forgot some events gives their places again, but no ID again. */
export const APPEND_ONE = `
local function append(token, key, body)
  local seq = redis.call('INCR', P .. ':inbox:last')
  local id = string.format('%.0f', seq) .. '-' .. token
  redis.call('HSET', P .. ':inbox:of:' .. key, id, body)
  redis.call('SADD', P .. ':inbox:keys', key)
  redis.call('ZADD', P .. ':inbox', seq, id .. ' ' .. key)
end
`;

/** ARGV: token; key, trigger; again and again. */
const APPEND = new Script(`${APPEND_ONE}
for i = 2, #ARGV, 2 do append(ARGV[1], ARGV[i], ARGV[i + 1]) end
return 1`);

/** ARGV: place, the most. Gives the last place that was given; then ID, trigger; again and again. */
const AFTER = new Script(`
local members = redis.call('ZRANGEBYSCORE', P .. ':inbox', '(' .. ARGV[1], '+inf', 'LIMIT', 0, ARGV[2])
local found = {redis.call('GET', P .. ':inbox:last') or '0'}
for _, member in ipairs(members) do
  local id, key = string.match(member, '^(%S+) (.*)$')
  found[#found + 1] = id
  found[#found + 1] = redis.call('HGET', P .. ':inbox:of:' .. key, id)
end
return found`);

/** ARGV: keys. Gives a list for each: ID, trigger; again and again. */
const OF = new Script(`
local found = {}
for i, key in ipairs(ARGV) do found[i] = redis.call('HGETALL', P .. ':inbox:of:' .. key) end
return found`);

/** ARGV: key, failure as JSON, or `none`, or nothing; IDs. */
const UPDATE = new Script(`
local key = ARGV[1]
local triggers = P .. ':inbox:of:' .. key
for i = 3, #ARGV do
  redis.call('ZREM', P .. ':inbox', ARGV[i] .. ' ' .. key)
  redis.call('HDEL', triggers, ARGV[i])
end
if redis.call('EXISTS', triggers) == 0 then redis.call('SREM', P .. ':inbox:keys', key) end
if ARGV[2] == 'none' then
  redis.call('HDEL', P .. ':failures', key)
elseif ARGV[2] ~= '' then
  redis.call('HSET', P .. ':failures', key, ARGV[2])
end
return 1`);

/** What is appended goes over `intake`, so that accepting an event does not wait behind anything else. */
export function createBullmqTriggers(link: ScriptLink, intake: ScriptLink): TriggerStore {
  return {
    async append(triggers) {
      for (const batch of batches(triggers))
        await intake.run(APPEND, newToken(), ...batch.flatMap(toKeyAndBody));
    },

    async after(seq, most) {
      const [last, ...rest] = toTexts(await link.run(AFTER, seq, most));
      return { found: toPairs(rest).map(toUnsettled), last: Number(last) };
    },

    async of(keys) {
      const found = new Map<string, Unsettled[]>();
      for (const some of batches(keys))
        for (const [at, reply] of toLists(await link.run(OF, ...some)).entries()) {
          const triggers = toPairs(reply).map(toUnsettled);
          if (triggers.length > 0)
            found.set(
              some[at] ?? '',
              triggers.sort((a, b) => a.seq - b.seq),
            );
        }
      return found;
    },

    keys: () => link.call((redis) => redis.smembers(`${link.prefix}:inbox:keys`)),

    async failures() {
      const all = await link.call((redis) => redis.hgetall(`${link.prefix}:failures`));
      return new Map(Object.entries(all).map(([key, body]) => [key, parseFailure(body)]));
    },

    async update({ key, settled, failure }) {
      const known = failure === undefined || failure === 'none' ? (failure ?? '') : JSON.stringify(failure);
      for (const ids of settled.length === 0 ? [[]] : batches(settled))
        await link.run(UPDATE, key, known, ...ids);
    },
  };
}

export const newToken = () => randomUUID().slice(0, 8);

export const toKeyAndBody = (trigger: Trigger): readonly [string, string] => [
  formatKey(trigger.key),
  JSON.stringify(trigger),
];

function toUnsettled([id, body]: [string, string]): Unsettled {
  return { id, seq: Number.parseInt(id, 10), trigger: parseTrigger(body) };
}

/** Parts of which each is one script call: one call stops Redis for its length. */
export function batches<T>(items: readonly T[]): T[][] {
  return inParts(items, 500);
}
