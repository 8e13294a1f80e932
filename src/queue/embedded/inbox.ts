import { clientKeyPrefix, type EventMemory, type Inbox, type IncomingEvent, toSteps } from '../inbox.js';
import type { EmbeddedKeyValueStore } from './key-value-store.js';
import type { EmbeddedQueue } from './queue.js';
import type { EmbeddedRechecks } from './rechecks.js';
import type { StateFile } from './state-file.js';

// How long the trial stays in the table: until the next event after that.
const TRIAL_MS = 60_000;

/** Queue, rechecks and remembered ids are tables of `queue.db`. */
export function createEmbeddedInbox(
  file: StateFile,
  queue: EmbeddedQueue,
  rechecks: EmbeddedRechecks,
  keyValues: EmbeddedKeyValueStore,
): Inbox {
  const acceptStep = (provider: string, events: readonly IncomingEvent[], { scope, ttlMs }: EventMemory) => {
    const all = new Map(events.map((event) => [event.id, event]));
    const fresh = [...all.values()].filter(({ id }) => !keyValues.isRemembered(scope, id));
    const ids = fresh.map(({ id }) => id);
    const onDurable = queue.append(fresh.flatMap(({ triggers }) => triggers));
    for (const recheck of fresh.flatMap((event) => event.rechecks)) rechecks.insert(provider, recheck);
    keyValues.insert(scope, ids, ttlMs);
    return { ids, onDurable };
  };
  return {
    async accept(provider, events, memory) {
      const accepted = toSteps(events).map(async (step) => {
        const { ids, onDurable } = await file.write(() => acceptStep(provider, step, memory));
        onDurable();
        return ids;
      });
      return new Set((await Promise.all(accepted)).flat());
    },

    // Writes where an event would be written.
    check: () => keyValues.remember('probe', ['1'], TRIAL_MS),

    unsettled: async (provider) => file.read(() => queue.triggersOf(clientKeyPrefix(provider))),
  };
}
