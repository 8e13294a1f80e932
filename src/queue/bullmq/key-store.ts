import { inParts } from '../../in-parts.js';
import { compareText } from '../../model/compare-text.js';
import { formatKey } from '../../model/key.js';
import type { Trigger } from '../../model/trigger.js';
import type { ParkedKey, Unparked } from '../queue.js';
import type { JobOutcome } from '../run-job.js';
import { parseParked, parseTrigger } from '../stored.js';
import * as scripts from './key-scripts.js';
import type { ScriptLink } from './redis-link.js';
import { toTexts } from './script.js';

/** How the BullMQ job of a key should be. */
export interface KeyPlan {
  readonly key: string;
  readonly urgent: boolean;
  /** Milliseconds since the epoch; 0: at once. */
  readonly dueAt: number;
}

// One script call stops Redis for its length; some hundred pushes take about a millisecond.
const BATCH = 500;

/** The triggers and the state of their keys, in plain Redis structures. Each method is one atomic step. */
export class KeyStore {
  readonly #link: ScriptLink;
  readonly #intake: ScriptLink;

  /** What is appended goes over `intake`, so that accepting an event does not wait behind anything else. */
  constructor(link: ScriptLink, intake: ScriptLink) {
    this.#link = link;
    this.#intake = intake;
  }

  /** In order; at most `BATCH` at once. */
  async append(triggers: readonly Trigger[]): Promise<void> {
    await this.#intake.run(scripts.APPEND, ...triggers.flatMap(toAppended));
  }

  async plan(keys: readonly string[]): Promise<KeyPlan[]> {
    return toPlans(await this.#link.run(scripts.PLAN, ...keys));
  }

  /** Keys that must come to a run. */
  dirty(): Promise<string[]> {
    return this.#link.call((redis) => redis.smembers(`${this.#link.prefix}:dirty`));
  }

  /** Keys to which an urgent trigger came since their last run began. */
  fresh(): Promise<string[]> {
    return this.#link.call((redis) => redis.smembers(`${this.#link.prefix}:fresh`));
  }

  /** Begins a run; undefined if the key has no triggers. */
  async take(
    key: string,
    runToken: string,
  ): Promise<{ readonly attempts: number; readonly triggers: readonly Trigger[] } | undefined> {
    const [attempts, ...bodies] = toTexts(await this.#link.run(scripts.TAKE, key, runToken));
    if (attempts === undefined || bodies.length === 0) return undefined;
    return { attempts: Number(attempts), triggers: bodies.map(parseTrigger) };
  }

  /** Ends a run; false if another run took over the key and settles it. */
  async settle(
    key: string,
    runToken: string,
    read: number,
    outcome: JobOutcome,
    now: number,
  ): Promise<boolean> {
    return (await this.#settle(key, runToken, read, outcome, now)) === 1;
  }

  #settle(key: string, runToken: string, read: number, outcome: JobOutcome, now: number): Promise<unknown> {
    switch (outcome.kind) {
      case 'done':
        return this.#link.run(scripts.DONE, key, runToken, read);
      case 'retry':
        return this.#link.run(scripts.WAIT, key, runToken, Math.ceil(now + outcome.afterMs));
      case 'failed': {
        const { attempts, error } = outcome;
        const parked: ParkedKey = { key, attempts, error, since: new Date(now).toISOString() };
        const park = outcome.exhausted ? JSON.stringify(parked) : '';
        const dueAt = Math.ceil(now + outcome.afterMs);
        return this.#link.run(scripts.FAILED, key, runToken, read, attempts, dueAt, park);
      }
    }
  }

  /** Of all keys with this prefix, whether they wait, run or are parked. */
  async triggersOf(prefix: string): Promise<readonly Trigger[]> {
    const [dirty, parked] = await Promise.all([
      this.dirty(),
      this.#link.call((redis) => redis.hkeys(`${this.#link.prefix}:parked`)),
    ]);
    const keys = [...new Set([...dirty, ...parked])].filter((key) => key.startsWith(prefix)).sort();
    const found: Trigger[] = [];
    for (const batch of batches(keys)) {
      const lists = batch.map((key) =>
        this.#link.call((redis) => redis.lrange(`${this.#link.prefix}:triggers:${key}`, 0, -1)),
      );
      for (const bodies of await Promise.all(lists)) found.push(...bodies.map(parseTrigger));
    }
    return found;
  }

  async unpark(key: string): Promise<boolean> {
    return (await this.#link.run(scripts.UNPARK, key)) === 1;
  }

  /** Deletes a parked key with its triggers. */
  async drop(key: string): Promise<Unparked> {
    const said = await this.#link.run(scripts.DROP, key);
    return said === 1 ? 'done' : said === 2 ? 'has-order' : 'not-parked';
  }

  /** How many keys must come to a run. */
  countDirty(): Promise<number> {
    return this.#link.call((redis) => redis.scard(`${this.#link.prefix}:dirty`));
  }

  async parked(): Promise<ParkedKey[]> {
    const parked = await this.#link.call((redis) => redis.hvals(`${this.#link.prefix}:parked`));
    return parked.map(parseParked).sort((a, b) => compareText(a.key, b.key));
  }
}

/** The values of a trigger for `APPEND_ONE`. */
export function toAppended(trigger: Trigger): [string, number, string] {
  return [formatKey(trigger.key), trigger.urgent === true ? 1 : 0, JSON.stringify(trigger)];
}

function toPlans(reply: unknown): KeyPlan[] {
  const texts = toTexts(reply);
  const plans: KeyPlan[] = [];
  for (let index = 0; index + 2 < texts.length; index += 3) {
    plans.push({
      key: texts[index] ?? '',
      urgent: texts[index + 1] === '1',
      dueAt: Number(texts[index + 2]),
    });
  }
  return plans;
}

/** Parts of which each is one script call. */
export function batches<T>(items: readonly T[]): T[][] {
  return inParts(items, BATCH);
}
