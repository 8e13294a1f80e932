import type { Trigger } from '../../model/trigger.js';
import type { ParkedKey, QueueState } from '../queue.js';
import type { JobOutcome } from '../run-job.js';
import { parseParked, parseTrigger } from '../stored.js';
import * as scripts from './key-scripts.js';
import type { RedisLink } from './redis-link.js';
import { toPairs, toTexts } from './script.js';

/** How the BullMQ job of a key should stand. */
export interface KeyPlan {
  readonly key: string;
  readonly urgent: boolean;
  /** Milliseconds since the epoch; 0: at once. */
  readonly dueAt: number;
}

export interface Appended {
  readonly key: string;
  readonly urgent: boolean;
  readonly body: string;
}

// One script call stops Redis for its length; some hundred pushes take about a millisecond.
const BATCH = 500;

/** The triggers and what follows from them, in plain Redis structures; each method is one atomic step. */
export class KeyStore {
  readonly #link: RedisLink;

  constructor(link: RedisLink) {
    this.#link = link;
  }

  /** In order. Gives the plans of their keys; at most `BATCH` at once. */
  async append(triggers: readonly Appended[]): Promise<KeyPlan[]> {
    const values = triggers.flatMap(({ key, urgent, body }) => [key, urgent ? 1 : 0, body]);
    return toPlans(await this.#link.run(scripts.APPEND, ...values));
  }

  async plan(keys: readonly string[]): Promise<KeyPlan[]> {
    return toPlans(await this.#link.run(scripts.PLAN, ...keys));
  }

  /** Keys that must run and have no job. */
  async orphans(): Promise<string[]> {
    return toTexts(await this.#link.run(scripts.ORPHANS, BATCH));
  }

  /** Keys whose job stands behind the urgent ones, and whether it is delayed. */
  async behind(urgentPriority: number, keys: readonly string[]): Promise<[string, boolean][]> {
    const pairs = toPairs(await this.#link.run(scripts.BEHIND, urgentPriority, ...keys));
    return pairs.map(([key, delayed]) => [key, delayed === '1']);
  }

  /** Keys that were told to wait later than now. */
  async rewound(now: number): Promise<string[]> {
    return toTexts(await this.#link.run(scripts.REWOUND, Math.floor(now), BATCH));
  }

  /** Begins a run; undefined if there is nothing to run for. */
  async take(
    key: string,
    runToken: string,
  ): Promise<{ readonly attempts: number; readonly triggers: readonly Trigger[] } | undefined> {
    const [attempts, ...bodies] = toTexts(await this.#link.run(scripts.TAKE, key, runToken));
    if (attempts === undefined || bodies.length === 0) return undefined;
    return { attempts: Number(attempts), triggers: bodies.map(parseTrigger) };
  }

  /** Ends a run; false if it lost the key meanwhile to another, which then settles it. */
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

  async unpark(key: string): Promise<boolean> {
    return (await this.#link.run(scripts.UNPARK, key)) === 1;
  }

  async state(): Promise<QueueState> {
    const [dirty, delayed, active, ...parked] = toTexts(await this.#link.run(scripts.STATE));
    return {
      // Also the keys whose job is being made.
      waiting: Math.max(0, Number(dirty) - Number(delayed) - Number(active)),
      delayed: Number(delayed),
      active: Number(active),
      parked: toPairs(parked)
        .map(([, json]) => parseParked(json))
        .sort((a, b) => (a.key < b.key ? -1 : 1)),
    };
  }
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

export function batches<T>(items: readonly T[]): T[][] {
  const all: T[][] = [];
  for (let from = 0; from < items.length; from += BATCH) all.push(items.slice(from, from + BATCH));
  return all;
}
