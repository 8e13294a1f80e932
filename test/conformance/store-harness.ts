import type { Clock } from '../../src/clock.js';
import { destinationKey, formatKey } from '../../src/model/key.js';
import type { Job, Trigger } from '../../src/model/trigger.js';
import type { Backoff } from '../../src/queue/backoff.js';
import type { JobHandler, JobResult, Queue } from '../../src/queue/queue.js';
import type { Store } from '../../src/queue/store-parts.js';
import { until } from '../support/until.js';

export type { Store } from '../../src/queue/store-parts.js';

/** One durable place, and the stores that are opened on it one after the other. */
export interface StoreHarness {
  open(backoff?: Partial<Backoff>, clock?: Clock): Promise<Store>;
  /** Ends the store the way `kill -9` would: nothing that it does from now on reaches the durable place. */
  crash(store: Store): Promise<void>;
  dispose(): Promise<void>;
}

export type StartHarness = () => Promise<StoreHarness>;

/** A queue at work; `stop` drains. */
export interface Working {
  stop(): Promise<void>;
}

export function work(queue: Queue, handler: JobHandler, concurrency = 4): Working {
  const abort = new AbortController();
  const ended = queue.work(handler, { concurrency }, abort.signal);
  // A store that crashes on purpose may let its loop fail; who stops it gets to know.
  ended.catch(() => {});
  return {
    stop: async () => {
      abort.abort();
      await ended;
    },
  };
}

/** Nothing waits, is delayed or runs; parked keys may be left. */
export async function idle(queue: Queue, timeoutMs?: number): Promise<void> {
  await until(
    'the queue is idle',
    async () => {
      const { waiting, delayed, active } = await queue.state();
      return waiting + delayed + active === 0;
    },
    timeoutMs,
  );
}

/** A promise with its handle. */
export function gate(): { readonly opened: Promise<void>; open(): void } {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

export const FAST = { firstMs: 1, capMs: 4, attempts: 3 };
export const DONE: JobResult = { kind: 'done' };

/** The key of a destination, as `trigger` has it. */
export const key = (name: string) => formatKey(destinationKey(name));

export const eventIds = (job: Job) => job.triggers.map((each) => each.cause.eventId);

export function trigger(name: string, eventId: string, more: Partial<Trigger> = {}): Trigger {
  return {
    key: destinationKey(name),
    cause: { kind: 'webhook', eventId, receivedAt: '2026-01-01T00:00:00.000Z' },
    ...more,
  };
}
