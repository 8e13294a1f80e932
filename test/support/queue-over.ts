import { systemClock } from '../../src/clock.js';
import type { TriggerStore } from '../../src/queue/inbox.js';
import { InboxQueue, type InboxQueueDeps } from '../../src/queue/inbox-queue.js';

/** The queue of a process that is alone. */
export function queueOver(store: TriggerStore, more: Partial<InboxQueueDeps> = {}): InboxQueue {
  return new InboxQueue(store, {
    clock: systemClock,
    check: async () => {},
    listen: () => () => {},
    tell: () => {},
    noteFailure: () => {},
    ...more,
  });
}
