import { createHash } from 'node:crypto';
import type { Redis } from 'ioredis';

/**
 * A Lua script, which Redis runs as one step. It gets the store's prefix as `KEYS[1]` and builds the names of
 * its keys from it; on a Redis Cluster the prefix must therefore hold a hash tag (`{…}`).
 */
export class Script {
  readonly #lua: string;
  readonly #digest: string;
  readonly #body: string;
  #fenced: Script | undefined;

  constructor(lua: string) {
    this.#body = lua;
    this.#lua = `local P = KEYS[1]\n${lua}`;
    this.#digest = createHash('sha1').update(this.#lua).digest('hex');
  }

  /** The same script, which does nothing and fails unless its last value is the epoch of the store. */
  get fenced(): Script {
    this.#fenced ??= new Script(`
local epoch = table.remove(ARGV)
if redis.call('HGET', P .. ':lease', 'epoch') ~= epoch then
  return redis.error_reply('${LEASE_LOST} the epoch ' .. epoch .. ' is over')
end
${this.#body}`);
    return this.#fenced;
  }

  /** `isLoaded`: this connection has sent the script before, so that its digest suffices. */
  async run(
    redis: Redis,
    prefix: string,
    values: readonly (string | number)[],
    isLoaded = true,
  ): Promise<unknown> {
    if (!isLoaded) return await redis.eval(this.#lua, 1, prefix, ...values);
    try {
      return await redis.evalsha(this.#digest, 1, prefix, ...values);
    } catch (error) {
      // SCRIPT FLUSH makes Redis forget its scripts.
      if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
      return await redis.eval(this.#lua, 1, prefix, ...values);
    }
  }
}

/** How the error of a fenced script begins. */
export const LEASE_LOST = 'LEASELOST';

/** The items of an array reply. */
export function toLists(reply: unknown): unknown[] {
  if (!Array.isArray(reply)) throw new Error('Redis gave no list');
  return reply;
}

/** The texts of an array reply; numbers become text. */
export function toTexts(reply: unknown): string[] {
  return toLists(reply).map((each) => {
    if (typeof each === 'string') return each;
    if (typeof each === 'number') return String(each);
    throw new Error('Redis gave a list of something else than text');
  });
}

/** The items of an array reply, taken two by two. */
export function toPairs(reply: unknown): [string, string][] {
  const texts = toTexts(reply);
  const pairs: [string, string][] = [];
  for (let index = 0; index + 1 < texts.length; index += 2) {
    pairs.push([texts[index] ?? '', texts[index + 1] ?? '']);
  }
  return pairs;
}
