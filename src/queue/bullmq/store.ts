import type { Clock } from '../../clock.js';
import type { Secret } from '../../model/secret.js';
import type { Logger, Metrics } from '../../observe.js';
import { type Backoff, DEFAULT_BACKOFF } from '../backoff.js';
import type { Inbox } from '../inbox.js';
import type { Journal } from '../journal.js';
import type { KeyValueStore } from '../key-value-store.js';
import type { Queue } from '../queue.js';
import type { Rechecks } from '../rechecks.js';
import type { StoreSpace } from '../store-space.js';
import { BullmqInbox } from './inbox.js';
import { BullmqJournal } from './journal.js';
import { KeyStore } from './key-store.js';
import { BullmqKeyValueStore } from './key-value-store.js';
import { MemoryReserve } from './memory-reserve.js';
import { BullmqQueue } from './queue.js';
import { BullmqRechecks } from './rechecks.js';
import { RedisLink } from './redis-link.js';
import { Schedule } from './schedule.js';

export interface BullmqStoreOptions {
  /** `redis://` or `rediss://`, with user and password where needed. */
  readonly url: Secret | string;
  /** Begins the name of every key, one for each instance: `scopemesh:<owner>`. */
  readonly prefix: string;
  /** `check` accepts a Redis that can lose acknowledged work. For tests. */
  readonly allowUnsafe: boolean;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly backoff?: Partial<Backoff>;
}

export interface BullmqStore {
  readonly queue: Queue;
  readonly inbox: Inbox;
  readonly journal: Journal;
  readonly keyValues: KeyValueStore;
  readonly rechecks: Rechecks;
  readonly space: StoreSpace;
  /** Stops the queue, waits for running jobs and ends the connections. */
  close(): Promise<void>;
}

/** Queue, journal and key-value store in one Redis. Connects in the background; `queue.check` checks the connection. */
export function createBullmqStore(options: BullmqStoreOptions): BullmqStore {
  const { prefix, allowUnsafe, logger, metrics, clock } = options;
  const url = typeof options.url === 'string' ? options.url : options.url.reveal();
  const link = new RedisLink(url, prefix, logger, clock);
  // For the small, quick steps of the intake, which do not wait behind the scripts of jobs and journal.
  const intake = link.openSecond();
  const space = new MemoryReserve(link, { logger, metrics });
  for (const each of [link, intake]) each.whenFull(() => space.give());
  const store = new KeyStore(link, intake);
  const schedule = new Schedule(link, store, logger, clock);
  const backoff = { ...DEFAULT_BACKOFF, ...options.backoff };
  const queue = new BullmqQueue(link, store, schedule, allowUnsafe, { logger, metrics, clock, backoff });
  const keyValues = new BullmqKeyValueStore(intake);
  return {
    queue,
    inbox: new BullmqInbox(intake, store, queue, keyValues),
    journal: new BullmqJournal(link, { logger, metrics, clock }),
    keyValues,
    rechecks: new BullmqRechecks(intake),
    space,
    async close() {
      await queue.close();
      await schedule.close();
      link.close();
      intake.close();
    },
  };
}
