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

/**
 * Two keys that only take up memory. Redis with a limit refuses every write that needs memory once the limit is reached, and
 * still deletes. So the first key is deleted then, and revocations and events find room. The second one is for the journal,
 * without which nothing is revoked: once it is deleted, the inbox refuses events, in every process.
 */
export class MemoryReserve implements StoreSpace {
  readonly #link: RedisLink;
  readonly #deps: Deps;
  #isLow = false;
  #size = 0;
  #failure: string | undefined;
  #giving: { readonly user: MemoryUser; readonly given: Promise<boolean> } | undefined;

  constructor(link: RedisLink, deps: Deps) {
    this.#link = link;
    this.#deps = deps;
  }

  isLow(): boolean {
    return this.#isLow;
  }

  /** After Redis refused a write for lack of memory. False if there is nothing more to give to this user. Never rejects. */
  give(user: MemoryUser): Promise<boolean> {
    // Writes that were refused together are tried again together.
    const under = this.#giving;
    if (under !== undefined && (under.user === 'journal' || user === 'events')) return under.given;
    const begun = async () => (await under?.given) === true || this.#give(user);
    const giving = {
      user,
      given: begun().finally(() => {
        if (this.#giving === giving) this.#giving = undefined;
      }),
    };
    this.#giving = giving;
    return giving.given;
  }

  async restore(): Promise<void> {
    try {
      await this.#restore();
      this.#failure = undefined;
    } catch (error) {
      const failure = messageOf(error);
      // The log has the outage already.
      if (failure !== this.#failure && this.#link.isReady)
        this.#deps.logger.warn({ error: failure }, 'no memory can be reserved in Redis');
      this.#failure = failure;
    }
  }

  async #give(user: MemoryUser): Promise<boolean> {
    this.#becomeLow(
      'Redis is out of memory: only revocations are made, in the reserved memory; give it more',
    );
    try {
      const given = String(await GIVE.run(this.#link.commands, this.#link.prefix, [user]));
      if (given === 'journal')
        this.#deps.logger.error(
          {},
          'half of the memory that Redis kept for revocations is used: events are refused until it has more',
        );
      if (given !== 'kept') this.#measure(given === 'events' ? this.#size / 2 : 0);
      return given === 'events' || given === 'journal';
    } catch {
      return false;
    }
  }

  async #restore(): Promise<void> {
    const { used, most } = toMemory(await this.#link.call((redis) => redis.info('memory')));
    const sizes = await this.#link.call((redis) =>
      Promise.all(PARTS.map((part) => redis.strlen(this.#link.prefix + part))),
    );
    const size = sizes.reduce((sum, each) => sum + each, 0);
    const bytes = Math.floor(Math.min(RESERVED_BYTES, most * RESERVED_PART));
    const half = Math.floor(bytes / 2);
    if (most === 0 || sizes.every((each) => each >= half)) return this.#becomeRoomy(size);
    if (used + bytes - size + bytes * MARGIN_PART > most) {
      this.#becomeLow(
        'Redis has too little memory for a reserve: only revocations are made; give it more memory',
      );
      return this.#measure(size);
    }
    // Redis makes a value of this length. Only the last byte is sent.
    for (const part of PARTS)
      await this.#link.call((redis) => redis.setrange(this.#link.prefix + part, Math.max(half - 1, 0), '0'));
    await this.#becomeRoomy(bytes);
  }

  #becomeLow(message: string): void {
    if (!this.#isLow) this.#deps.logger.error({}, message);
    this.#isLow = true;
  }

  async #becomeRoomy(size: number): Promise<void> {
    await this.#link.call((redis) => redis.del(this.#link.prefix + ONLY_JOURNAL));
    if (this.#isLow) this.#deps.logger.info({}, 'Redis has memory again: grants go on');
    this.#isLow = false;
    this.#measure(size);
  }

  #measure(size: number): void {
    this.#size = size;
    this.#deps.metrics.gauge('scopemesh_store_reserve_bytes', size);
    this.#deps.metrics.gauge('scopemesh_store_low', this.#isLow ? 1 : 0);
  }
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
