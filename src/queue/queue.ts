import type { Job, Trigger } from '../model/trigger.js';

/** `retry` runs the key again after a while without counting as a failure (a compare-and-set conflict, a wait). */
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

export interface QueueState {
  readonly waiting: number;
  readonly delayed: number;
  readonly active: number;
  readonly parked: readonly ParkedKey[];
}

/**
 * The durable queue of keys. Triggers of one key are merged into one job and none is lost: a job carries every
 * trigger that came since the key's last successful run; one that arrives during a run causes exactly one more
 * run. At most one job of a key runs at a time; that of a client is aborted and begins anew when this process adds an
 * order for it. Urgent keys go before others, also when an urgent trigger joins a key that waits already or waits
 * out a backoff. Of equals the oldest goes first, whatever its kind: a loss of many clients is known as a whole, to
 * whoever counts it, before the first destination closes. What comes back stands behind what waits already. A failing
 * key is retried with growing, jittered delays and after a limit parked, until a new trigger or `unpark`. Throws
 * SyncError ERR_QUEUE_UNREACHABLE (retriable).
 */
export interface Queue {
  /** Resolves once the triggers are durable (fsync, or Redis with its append-only file). Repeating is harmless. */
  add(triggers: readonly Trigger[]): Promise<void>;
  /** Runs jobs until the signal aborts, then waits for running ones. Triggers of a run that failed or was killed come again. */
  work(handler: JobHandler, options: { readonly concurrency: number }, signal: AbortSignal): Promise<void>;
  state(): Promise<QueueState>;
  unpark(key: string): Promise<boolean>;
  /** Refuses a store that can lose acknowledged work (ERR_QUEUE_UNSAFE), or one it cannot reach. */
  check(): Promise<void>;
  close(): Promise<void>;
}
