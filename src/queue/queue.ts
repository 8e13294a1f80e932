import type { Job, Trigger } from '../model/trigger.js';

/** `retry` runs the key again after a while and does not count as a failure (a compare-and-set conflict, a wait). */
export type JobResult = { readonly kind: 'done' } | { readonly kind: 'retry'; readonly afterMs: number };

export type JobHandler = (job: Job, signal: AbortSignal) => Promise<JobResult>;

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

export interface QueueState {
  readonly waiting: number;
  readonly delayed: number;
  readonly active: number;
  readonly parked: readonly ParkedKey[];
}

/**
 * The durable queue of keys.
 * - Triggers of one key are merged into one job, and none is lost: a job has every trigger since the key's last
 *   successful run. A trigger that arrives during a run causes exactly one more run.
 * - At most one job of a key runs at a time. The job of a client is aborted and begins again when an order comes for it.
 * - Urgent keys go first, also when an urgent trigger joins a key that waits or is in a backoff. Of equals the oldest
 *   goes first, whatever its kind, so that the loss of many clients is counted as a whole before the first destination
 *   closes. A key that returns goes behind the waiting ones.
 * - A failing key is retried with growing, jittered delays. After a limit it is parked until a new trigger or `unpark`.
 *
 * Throws SyncError ERR_QUEUE_UNREACHABLE (retriable).
 */
export interface Queue {
  /** Resolves once the triggers are durable (fsync, or Redis with its append-only file). Repeating is harmless. */
  add(triggers: readonly Trigger[]): Promise<void>;
  /** Runs jobs until the signal aborts, then waits for running ones. Triggers of a run that failed or was killed come again. */
  work(handler: JobHandler, options: { readonly concurrency: number }, signal: AbortSignal): Promise<void>;
  state(): Promise<QueueState>;
  /** `run`: runs the key again now; `drop`: forgets its triggers. Repeating is harmless. */
  unpark(key: string, how: 'run' | 'drop'): Promise<Unparked>;
  /** Throws ERR_QUEUE_UNSAFE for a store that can lose acknowledged work. */
  check(): Promise<void>;
  close(): Promise<void>;
}
