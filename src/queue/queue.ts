import type { Trigger } from '../model/trigger.js';
import type { KeyFailure, KeyUpdate, Unsettled } from './inbox.js';

/** `retry` runs the key again after a while and does not count as a failure (a compare-and-set conflict, a wait). */
export type JobResult = { readonly kind: 'done' } | { readonly kind: 'retry'; readonly afterMs: number };

export interface ParkedKey {
  readonly key: string;
  readonly attempts: number;
  /** The last failure's message. */
  readonly error: string;
  /** ISO 8601. */
  readonly since: string;
}

/**
 * What became of a parked key. `has-order`: it has a revocation order, which no comparison finds again, so it is not
 * dropped. `running`: it runs at the moment, so it is not dropped.
 */
export type Unparked = 'done' | 'not-parked' | 'has-order' | 'running';

/** `delayed`: without the parked ones. */
export interface QueueState {
  readonly waiting: number;
  readonly delayed: number;
  readonly active: number;
  readonly parked: readonly ParkedKey[];
}

/** What runs jobs, as the queue uses it. The agenda is one. */
export interface Scheduler {
  /**
   * Adds triggers of the store, each once. `failures`: what an earlier term knew of their keys, by key. A key stays parked
   * unless a trigger is newer than its last run.
   */
  take(found: readonly Unsettled[], failures?: ReadonlyMap<string, KeyFailure>): void;
  /** `save` keeps in the store what becomes of its triggers. */
  saveBy(save: (update: KeyUpdate) => void): void;
  /** How many keys wait for a place. */
  readonly waiting: number;
  state(): QueueState;
  /** As `Queue.unpark`. */
  unpark(key: string, how: 'run' | 'drop'): Unparked;
}

/**
 * The triggers of the store, as a process uses them: every process adds some, and the leader's agenda takes them all. Throws
 * SyncError ERR_QUEUE_UNREACHABLE (retriable).
 */
export interface Queue {
  /** Resolves once the triggers are durable (fsync, or Redis with its append-only file). Repeating is harmless. */
  add(triggers: readonly Trigger[]): Promise<void>;
  /**
   * Gives the agenda every trigger that is not settled, until the signal aborts. Keeps in the store what becomes of them,
   * until `jobs` ends. Triggers of a run that failed or was killed come again.
   */
  work(agenda: Scheduler, signal: AbortSignal, jobs: Promise<unknown>): Promise<void>;
  /** Of the agenda; in a process that runs no jobs, what the store knows. */
  state(): Promise<QueueState>;
  /** `run`: runs the key again now; `drop`: forgets its triggers. Repeating is harmless. */
  unpark(key: string, how: 'run' | 'drop'): Promise<Unparked>;
  /** Throws ERR_QUEUE_UNSAFE for a store that can lose acknowledged work. */
  check(): Promise<void>;
  close(): Promise<void>;
}

/** Why a key was not unparked; undefined if it was. */
export function unparkRefusal(unparked: Unparked): string | undefined {
  switch (unparked) {
    case 'done':
      return undefined;
    case 'not-parked':
      return 'this key is not parked';
    case 'running':
      return 'this key runs at the moment; list the parked keys again and drop it if it is still there';
    case 'has-order':
      return 'this key has a revocation order, which no comparison finds again; correct the cause and retry the key';
  }
}
