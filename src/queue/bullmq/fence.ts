import { parseLeader } from '../../model/leader.js';
import type { Fence } from '../fence.js';
import type { RedisLink } from './redis-link.js';
import { Script, toTexts } from './script.js';

/*
 *   P:lease  hash    `epoch`, `leader` as JSON, and `pulses`: the last one and the one before
 *   P:alive  string  the epoch of a leader that gave a sign of life; it expires
 */

/** A leader renews it each second. */
const LIFE_MS = 3_000;

/** ARGV: leader, the least epoch that is taken, `dead` or `any`, life. 0: another leader lives. */
const RAISE = new Script(`
if ARGV[3] == 'dead' and redis.call('EXISTS', P .. ':alive') == 1 then return 0 end
local last = tonumber(redis.call('HGET', P .. ':lease', 'epoch') or '0')
local epoch = math.max(last, tonumber(ARGV[2])) + 1
redis.call('HSET', P .. ':lease', 'epoch', string.format('%.0f', epoch), 'leader', ARGV[1])
redis.call('SET', P .. ':alive', string.format('%.0f', epoch), 'PX', ARGV[4])
return epoch`);

/** ARGV: epoch, life, pulse or ''. */
const BEAT = new Script(`
if redis.call('HGET', P .. ':lease', 'epoch') ~= ARGV[1] then return 0 end
if ARGV[3] ~= '' then
  local last = string.match(redis.call('HGET', P .. ':lease', 'pulses') or '', '^%x*')
  if last ~= ARGV[3] then redis.call('HSET', P .. ':lease', 'pulses', ARGV[3] .. ' ' .. last) end
end
redis.call('SET', P .. ':alive', ARGV[1], 'PX', ARGV[2])
return 1`);

/** ARGV: epoch. */
const REST = new Script(`
if redis.call('GET', P .. ':alive') == ARGV[1] then redis.call('DEL', P .. ':alive') end
return 1`);

/** Gives epoch, leader, 0 or 1 (alive), pulses; nothing if nobody ever led. */
const READ = new Script(`
local epoch = redis.call('HGET', P .. ':lease', 'epoch')
if not epoch then return {} end
return { epoch, redis.call('HGET', P .. ':lease', 'leader'), redis.call('EXISTS', P .. ':alive'),
  redis.call('HGET', P .. ':lease', 'pulses') or '' }`);

/** `link`: a connection whose commands do not wait behind jobs. */
export function createBullmqFence(link: RedisLink): Fence {
  return {
    lifeMs: LIFE_MS,

    async raise(leader, { above, over }) {
      const epoch = await link.call(async (redis) => {
        // A leader that lives could give no sign of life either while Redis was away. It comes first, and restores what Redis lost.
        if (over === 'dead' && link.isBackWithin(LIFE_MS)) return 0;
        return RAISE.run(redis, link.prefix, [JSON.stringify(leader), above, over, LIFE_MS]);
      });
      return epoch === 0 ? undefined : Number(epoch);
    },

    beat: async (epoch, pulse = '') => (await link.run(BEAT, epoch, LIFE_MS, pulse)) === 1,

    async rest(epoch) {
      await link.run(REST, epoch);
    },

    async read() {
      const [epoch, json, isAlive, pulses = ''] = toTexts(await link.run(READ));
      if (epoch === undefined || json === undefined) return undefined;
      const leader = parseLeader(JSON.stringify({ ...JSON.parse(json), epoch: Number(epoch) }));
      return leader && { leader, isAlive: isAlive === '1', pulses: pulses.split(' ').filter(Boolean) };
    },
  };
}
