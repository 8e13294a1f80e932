import type { KeyValueStore } from '../key-value-store.js';
import type { ScriptLink } from './redis-link.js';
import { Script } from './script.js';

/** ARGV: name, value, and the expected value if there is one. */
const REPLACE = new Script(`
if (redis.call('HGET', P .. ':facts', ARGV[1]) or nil) ~= ARGV[3] then return 0 end
redis.call('HSET', P .. ':facts', ARGV[1], ARGV[2])
return 1`);

/** ARGV: name, value. */
const SET = new Script(`
redis.call('HSET', P .. ':facts', ARGV[1], ARGV[2])
return 1`);

/** Remembered ids expire by Redis' own clock. */
export class BullmqKeyValueStore implements KeyValueStore {
  readonly #link: ScriptLink;

  constructor(link: ScriptLink) {
    this.#link = link;
  }

  async get(name: string): Promise<string | undefined> {
    return (await this.#link.call((redis) => redis.hget(this.#name, name))) ?? undefined;
  }

  async set(name: string, value: string): Promise<void> {
    await this.#link.run(SET, name, value);
  }

  async replace(name: string, expected: string | undefined, value: string): Promise<boolean> {
    const values = expected === undefined ? [name, value] : [name, value, expected];
    return (await this.#link.run(REPLACE, ...values)) === 1;
  }

  async has(scope: string, id: string): Promise<boolean> {
    return (await this.#link.call((redis) => redis.exists(this.seen(scope, id)))) === 1;
  }

  async remember(scope: string, ids: readonly string[], ttlMs: number): Promise<void> {
    const ttl = Math.max(1, Math.ceil(ttlMs));
    await this.#link.call((redis) =>
      Promise.all(ids.map((id) => redis.set(this.seen(scope, id), '1', 'PX', ttl))),
    );
  }

  get #name(): string {
    return `${this.#link.prefix}:facts`;
  }

  /** The name under which the id is remembered. */
  seen(scope: string, id: string): string {
    return `${this.#link.prefix}:seen:${encodeURIComponent(scope)}:${id}`;
  }
}
