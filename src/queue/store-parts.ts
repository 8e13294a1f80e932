import type { Fence } from './fence.js';
import type { Inbox } from './inbox.js';
import type { Journal } from './journal.js';
import type { KeyValueStore } from './key-value-store.js';
import type { Queue } from './queue.js';
import type { Rechecks } from './rechecks.js';
import type { Roster } from './roster.js';
import type { SessionStore } from './session-store.js';
import type { StoreSpace } from './store-space.js';

/** What one store has. */
export interface StoreParts {
  readonly queue: Queue;
  readonly inbox: Inbox;
  readonly journal: Journal;
  readonly keyValues: KeyValueStore;
  readonly rechecks: Rechecks;
  readonly space: StoreSpace;
}

/** The store of one term. What it writes, but for triggers, throws ERR_LEASE_LOST once the store has another epoch. */
export interface LedStore extends StoreParts {
  /** Stops the queue and stores what became of its jobs. The store itself stays open. */
  close(): Promise<void>;
}

/** A store that replicas of one owner share. */
export interface Store extends StoreParts {
  readonly fence: Fence;
  readonly roster: Roster;
  readonly sessions: SessionStore;
  /** The store as the leader of this epoch uses it. */
  lead(epoch: number): LedStore;
  /** Rejects once the store is found to be damaged, so that nothing more can be done with it. */
  readonly damaged?: Promise<never>;
  close(): Promise<void>;
}
