/**
 * Small durable values beside the queue: poll cursors, IDs of seen events, the relay's position, the mass guard's
 * window. Throws SyncError ERR_QUEUE_UNREACHABLE.
 */
export interface KeyValueStore {
  get(name: string): Promise<string | undefined>;
  set(name: string, value: string): Promise<void>;
  /** Sets the value in one step, if it is `expected` (undefined: none). False if it is another one. */
  replace(name: string, expected: string | undefined, value: string): Promise<boolean>;
  /** Whether the id was remembered in this scope and has not expired. */
  has(scope: string, id: string): Promise<boolean>;
  /** Remembers ids for `ttlMs`. Those of events are remembered by `Inbox.accept`. */
  remember(scope: string, ids: readonly string[], ttlMs: number): Promise<void>;
}
