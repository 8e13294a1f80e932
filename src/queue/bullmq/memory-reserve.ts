import { messageOf } from '../../errors.js';
import type { Runtime } from '../../runtime.js';
import { MARGIN_PART, RESERVED_BYTES, RESERVED_PART, type StoreSpace } from '../store-space.js';
import type { MemoryUser, RedisLink } from './redis-link.js';
import { Script } from './script.js';

type Deps = Pick<Runtime, 'logger' | 'metrics'>;

interface Memory {
  readonly used: number;
  /** 0: Redis has no limit, and refuses nothing. */
  readonly most: number;
}

/** Exists while all memory that is left is kept for the journal. */
export const ONLY_JOURNAL = ':reserve:only-journal';

export interface MemoryReserve extends StoreSpace {
  /** After Redis refused a write for lack of memory. False if there is nothing more to give to this user. Never rejects. */
  give(user: MemoryUser): Promise<boolean>;
}

/**
 * Two keys that only take up memory. Redis with a limit refuses every write that needs memory once the limit is reached, and
 * still deletes. So the first key is deleted then, and revocations and events find room. The second one is for the journal,
 * without which nothing is revoked: once it is deleted, the inbox refuses events, in every process.
 */
export function createMemoryReserve(link: RedisLink, { logger, metrics }: Deps): MemoryReserve {
  let isLow = false;
  let reserved = 0;
  let failure: string | undefined;
  let giving: { readonly user: MemoryUser; readonly given: Promise<boolean> } | undefined;

  const measure = (size: number) => {
    reserved = size;
    metrics.gauge('scopemesh_store_reserve_bytes', size);
    metrics.gauge('scopemesh_store_low', isLow ? 1 : 0);
  };
  const becomeLow = (message: string) => {
    if (!isLow) logger.error({}, message);
    isLow = true;
  };
  const becomeRoomy = async (size: number) => {
    await link.call((redis) => redis.del(link.prefix + ONLY_JOURNAL));
    if (isLow) logger.info({}, 'Redis has memory again: grants go on');
    isLow = false;
    measure(size);
  };
  const giveNow = async (user: MemoryUser): Promise<boolean> => {
    becomeLow('Redis is out of memory: only revocations are made, in the reserved memory; give it more');
    try {
      const given = String(await GIVE.run(link.commands, link.prefix, [user]));
      if (given === 'journal')
        logger.error(
          {},
          'half of the memory that Redis kept for revocations is used: events are refused until it has more',
        );
      if (given !== 'kept') measure(given === 'events' ? reserved / 2 : 0);
      return given === 'events' || given === 'journal';
    } catch {
      return false;
    }
  };
  const reserve = async () => {
    const { used, most } = toMemory(await link.call((redis) => redis.info('memory')));
    const sizes = await link.call((redis) =>
      Promise.all(PARTS.map((part) => redis.strlen(link.prefix + part))),
    );
    const size = sizes.reduce((sum, each) => sum + each, 0);
    const bytes = Math.floor(Math.min(RESERVED_BYTES, most * RESERVED_PART));
    const half = Math.floor(bytes / 2);
    if (most === 0 || sizes.every((each) => each >= half)) return becomeRoomy(size);
    if (used + bytes - size + bytes * MARGIN_PART > most) {
      becomeLow('Redis has too little memory for a reserve: only revocations are made; give it more memory');
      return measure(size);
    }
    // Redis makes a value of this length. Only the last byte is sent.
    for (const part of PARTS)
      await link.call((redis) => redis.setrange(link.prefix + part, Math.max(half - 1, 0), '0'));
    await becomeRoomy(bytes);
  };

  return {
    isLow: () => isLow,

    give(user) {
      // Writes that were refused together are tried again together.
      const under = giving;
      if (under !== undefined && (under.user === 'journal' || user === 'events')) return under.given;
      const begun = async () => (await under?.given) === true || giveNow(user);
      const next = {
        user,
        given: begun().finally(() => {
          if (giving === next) giving = undefined;
        }),
      };
      giving = next;
      return next.given;
    },

    async restore() {
      try {
        await reserve();
        failure = undefined;
      } catch (error) {
        const message = messageOf(error);
        // The log has the outage already.
        if (message !== failure && link.isReady)
          logger.warn({ error: message }, 'no memory can be reserved in Redis');
        failure = message;
      }
    },
  };
}

/** What events may use, then what is for the journal. */
const PARTS = [':reserve', ':reserve:journal'] as const;

/**
 * ARGV: the user. Gives the part that was deleted, `events` or `journal`; `kept` if the rest is not for this user, or `none`.
 * The marker needs memory, so it comes last.
 */
const GIVE = new Script(`
if redis.call('DEL', P .. '${PARTS[0]}') == 1 then return 'events' end
if ARGV[1] == 'events' then return 'kept' end
if redis.call('DEL', P .. '${PARTS[1]}') == 0 then return 'none' end
redis.call('SET', P .. '${ONLY_JOURNAL}', '1')
return 'journal'`);

function toMemory(answer: string): Memory {
  const field = (name: string) => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(answer)?.[1] ?? Number.NaN);
  const [used, most] = [field('used_memory'), field('maxmemory')];
  if (Number.isNaN(used + most)) throw new Error('Redis does not report its memory');
  return { used, most };
}
