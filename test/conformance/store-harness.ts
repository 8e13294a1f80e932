import { type Clock, systemClock } from '../../src/clock.js';
import { destinationKey, formatKey } from '../../src/model/key.js';
import type { Job, Trigger } from '../../src/model/trigger.js';
import { noMetrics, silentLogger } from '../../src/observe.js';
import { Agenda } from '../../src/queue/agenda.js';
import type { AgendaHandler } from '../../src/queue/follow-ups.js';
import type { JobResult, Queue } from '../../src/queue/queue.js';
import type { Store } from '../../src/queue/store-parts.js';
import { WriteLimit } from '../../src/queue/write-limit.js';
import { until } from '../support/until.js';

export type { Store } from '../../src/queue/store-parts.js';

/** One durable place, and the stores that are opened on it one after the other. */
export interface StoreHarness {
  open(clock?: Clock): Promise<Store>;
  /** Ends the store the way `kill -9` would: nothing that it does from now on reaches the durable place. */
  crash(store: Store): Promise<void>;
  dispose(): Promise<void>;
}

export type StartHarness = () => Promise<StoreHarness>;

/** An agenda at work on a store; `stop` drains. */
export interface Working {
  stop(): Promise<void>;
}

export function work(
  queue: Pick<Queue, 'work'>,
  handler: AgendaHandler,
  concurrency = 4,
  attempts = FAST.attempts,
): Working {
  const abort = new AbortController();
  const writes = new WriteLimit({ least: 1, first: concurrency, most: concurrency }, systemClock);
  const agenda = new Agenda(
    { writes, reads: concurrency, urgent: 0 },
    { logger: silentLogger, metrics: noMetrics, clock: systemClock, backoff: { ...FAST, attempts } },
  );
  const jobs = agenda.work(handler, abort.signal);
  const ended = queue.work(agenda, abort.signal, jobs);
  // A store that crashes on purpose may let its loop fail; who stops it gets to know.
  ended.catch(() => {});
  return {
    stop: async () => {
      abort.abort();
      await jobs;
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

/** A parked key is not tried again within a test. */
export const FAST = { firstMs: 1, capMs: 4, attempts: 3, parkedMs: 600_000 };
export const DONE: JobResult = { kind: 'done' };

/** The key of a destination, as `trigger` has it. */
export const key = (name: string) => formatKey(destinationKey(name));

export const eventIds = (job: Job) => job.triggers.map((each) => each.cause.eventId);

export function trigger(name: string, eventId: string, more: Partial<Trigger> = {}): Trigger {
  return {
    key: destinationKey(name),
    cause: { kind: 'webhook', eventId, receivedAt: '2026-01-01T00:00:00.000Z' },
    // Without it, triggers of one key would be equal.
    evidence: [{ provider: 'main', clients: [eventId] }],
    ...more,
  };
}
