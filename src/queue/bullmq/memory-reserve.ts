import { messageOf } from '../../errors.js';
import type { Logger, Metrics } from '../../observe.js';
import { MARGIN_PART, RESERVED_BYTES, RESERVED_PART, type StoreSpace } from '../store-space.js';
import type { RedisLink } from './redis-link.js';

interface Deps {
  readonly logger: Logger;
  readonly metrics: Metrics;
}

interface Memory {
  readonly used: number;
  /** 0: Redis has no limit, and refuses nothing. */
  readonly most: number;
}

/**
 * A key that only takes up memory. Redis with a limit refuses every write that needs memory once the limit is reached, and
 * still deletes. So the key is deleted then, and the writes of revocations find room.
 */
export class MemoryReserve implements StoreSpace {
  readonly #link: RedisLink;
  readonly #deps: Deps;
  #isLow = false;
  #failure: string | undefined;
  #giving: Promise<boolean> | undefined;

  constructor(link: RedisLink, deps: Deps) {
    this.#link = link;
    this.#deps = deps;
  }

  isLow(): boolean {
    return this.#isLow;
  }

  /** After Redis refused a write for lack of memory. False if there is nothing more to give. Never rejects. */
  give(): Promise<boolean> {
    // Writes that were refused together are tried again together.
    this.#giving ??= this.#give().finally(() => {
      this.#giving = undefined;
    });
    return this.#giving;
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

  async #give(): Promise<boolean> {
    this.#becomeLow(
      'Redis is out of memory: only revocations are made, in the reserved memory; give it more',
    );
    try {
      const deleted = await this.#link.commands.del(this.#name);
      this.#measure(0);
      return deleted > 0;
    } catch {
      return false;
    }
  }

  async #restore(): Promise<void> {
    const { used, most } = toMemory(await this.#link.call((redis) => redis.info('memory')));
    const size = await this.#link.call((redis) => redis.strlen(this.#name));
    const bytes = Math.floor(Math.min(RESERVED_BYTES, most * RESERVED_PART));
    if (most === 0 || size >= bytes) return this.#becomeRoomy(size);
    if (used + bytes - size + bytes * MARGIN_PART > most) {
      this.#becomeLow(
        'Redis has too little memory for a reserve: only revocations are made; give it more memory',
      );
      return this.#measure(size);
    }
    // Redis makes a value of this length. Only the last byte is sent.
    await this.#link.call((redis) => redis.setrange(this.#name, bytes - 1, '0'));
    this.#becomeRoomy(bytes);
  }

  #becomeLow(message: string): void {
    if (!this.#isLow) this.#deps.logger.error({}, message);
    this.#isLow = true;
  }

  #becomeRoomy(size: number): void {
    if (this.#isLow) this.#deps.logger.info({}, 'Redis has memory again: grants go on');
    this.#isLow = false;
    this.#measure(size);
  }

  #measure(size: number): void {
    this.#deps.metrics.gauge('scopemesh_store_reserve_bytes', size);
    this.#deps.metrics.gauge('scopemesh_store_low', this.#isLow ? 1 : 0);
  }

  get #name(): string {
    return `${this.#link.prefix}:reserve`;
  }
}

function toMemory(info: string): Memory {
  const field = (name: string) => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1] ?? Number.NaN);
  const [used, most] = [field('used_memory'), field('maxmemory')];
  if (Number.isNaN(used + most)) throw new Error('Redis does not report its memory');
  return { used, most };
}
