import type { Trigger } from '../../model/trigger.js';
import { clientKeyPrefix, type EventMemory, type Inbox, type IncomingEvent, toSteps } from '../inbox.js';
import type { EmbeddedKeyValueStore } from './key-value-store.js';
import type { EmbeddedQueue } from './queue.js';
import type { EmbeddedRechecks } from './rechecks.js';
import type { StateFile } from './state-file.js';

// How long the trial stays in the table: until the next event after that.
const TRIAL_MS = 60_000;

/** Queue, rechecks and remembered ids are tables of `queue.db`. */
export class EmbeddedInbox implements Inbox {
  readonly #file: StateFile;
  readonly #queue: EmbeddedQueue;
  readonly #rechecks: EmbeddedRechecks;
  readonly #keyValues: EmbeddedKeyValueStore;

  constructor(
    file: StateFile,
    queue: EmbeddedQueue,
    rechecks: EmbeddedRechecks,
    keyValues: EmbeddedKeyValueStore,
  ) {
    this.#file = file;
    this.#queue = queue;
    this.#rechecks = rechecks;
    this.#keyValues = keyValues;
  }

  async accept(
    provider: string,
    events: readonly IncomingEvent[],
    memory: EventMemory,
  ): Promise<ReadonlySet<string>> {
    const accepted = toSteps(events).map(async (step) => {
      const { ids, onDurable } = await this.#file.write(() => this.#accept(provider, step, memory));
      onDurable();
      return ids;
    });
    return new Set((await Promise.all(accepted)).flat());
  }

  /** Writes where an event would be written. */
  check(): Promise<void> {
    return this.#keyValues.remember('probe', ['1'], TRIAL_MS);
  }

  async unsettled(provider: string): Promise<readonly Trigger[]> {
    return this.#file.read(() => this.#queue.triggersOf(clientKeyPrefix(provider)));
  }

  #accept(provider: string, events: readonly IncomingEvent[], { scope, ttlMs }: EventMemory) {
    const all = new Map(events.map((event) => [event.id, event]));
    const fresh = [...all.values()].filter(({ id }) => !this.#keyValues.isRemembered(scope, id));
    const ids = fresh.map(({ id }) => id);
    const onDurable = this.#queue.append(fresh.flatMap(({ triggers }) => triggers));
    for (const recheck of fresh.flatMap(({ rechecks }) => rechecks)) this.#rechecks.insert(provider, recheck);
    this.#keyValues.insert(scope, ids, ttlMs);
    return { ids, onDurable };
  }
}
