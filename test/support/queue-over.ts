import { systemClock } from '../../src/clock.js';
import { noMetrics, silentLogger } from '../../src/observe.js';
import { DEFAULT_BACKOFF } from '../../src/queue/backoff.js';
import type { TriggerStore } from '../../src/queue/inbox.js';
import { InboxQueue, type InboxQueueDeps } from '../../src/queue/inbox-queue.js';

/** The queue of a process that is alone. */
export function queueOver(store: TriggerStore, more: Partial<InboxQueueDeps> = {}): InboxQueue {
  return new InboxQueue(store, {
    logger: silentLogger,
    metrics: noMetrics,
    clock: systemClock,
    backoff: DEFAULT_BACKOFF,
    check: async () => {},
    listen: () => () => {},
    tell: () => {},
    noteFailure: () => {},
    ...more,
  });
}
