/** A session of the console as it is stored: nothing in it lets anybody in. */
export interface StoredSession {
  /** The SHA-256 of its token. */
  readonly id: string;
  /** Sessions with one of these names end together. The first is the person. */
  readonly names: readonly [person: string, ...others: string[]];
  readonly body: string;
  /** Milliseconds since the epoch: when its person proved who they are. */
  readonly beganAt: number;
  /** Milliseconds since the epoch. */
  readonly endsAt: number;
}

export const MOST_SESSIONS = 10_000;
export const MOST_SESSIONS_OF_ONE = 10;

/**
 * The sessions of the console, which all replicas share. Each may be lost: its person signs in again. Throws SyncError
 * ERR_QUEUE_UNREACHABLE. Repeating is safe.
 */
export interface SessionStore {
  /** Ends others of the person, and of all, beyond the limits: those that would end first. */
  add(session: StoredSession): Promise<void>;
  /** Undefined if it has ended. */
  get(id: string): Promise<Pick<StoredSession, 'body' | 'endsAt'> | undefined>;
  /** Changes nothing if it has ended. */
  extend(id: string, endsAt: number): Promise<void>;
  end(id: string): Promise<void>;
  /** Ends every session with this name that began at that instant or before it; without one every session with the name. */
  endNamed(name: string, beganUntil?: number): Promise<void>;
}
