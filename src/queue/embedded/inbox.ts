import { type EventMemory, type Inbox, type IncomingEvent, toSteps, unsettledOf } from '../inbox.js';
import type { InboxQueue } from '../inbox-queue.js';
import type { EmbeddedKeyValueStore } from './key-value-store.js';
import type { EmbeddedRechecks } from './rechecks.js';
import type { StateFile } from './state-file.js';
import type { EmbeddedTriggers } from './triggers.js';

// How long the trial stays in the table: until the next event after that.
const TRIAL_MS = 60_000;

/** Queue, rechecks and remembered ids are tables of `queue.db`. */
export function createEmbeddedInbox(
  file: StateFile,
  triggers: EmbeddedTriggers,
  queue: Pick<InboxQueue, 'arrived'>,
  rechecks: EmbeddedRechecks,
  keyValues: EmbeddedKeyValueStore,
): Inbox {
  const acceptStep = (provider: string, events: readonly IncomingEvent[], { scope, ttlMs }: EventMemory) => {
    const all = new Map(events.map((event) => [event.id, event]));
    const fresh = [...all.values()].filter(({ id }) => !keyValues.isRemembered(scope, id));
    const ids = fresh.map(({ id }) => id);
    triggers.insert(fresh.flatMap((event) => event.triggers));
    for (const recheck of fresh.flatMap((event) => event.rechecks)) rechecks.insert(provider, recheck);
    keyValues.insert(scope, ids, ttlMs);
    // After the turn of the commit, which may fail. A run begins as soon as the triggers are committed: only who sent them
    // waits for the disk. If that fails, the sender sends them again.
    queueMicrotask(() => queue.arrived());
    return ids;
  };
  return {
    async accept(provider, events, memory) {
      const accepted = toSteps(events).map(async (step) => {
        return file.write(() => acceptStep(provider, step, memory));
      });
      return new Set((await Promise.all(accepted)).flat());
    },

    // Writes where an event would be written.
    check: () => keyValues.remember('probe', ['1'], TRIAL_MS),

    unsettled: (provider) => unsettledOf(triggers, provider),
  };
}
