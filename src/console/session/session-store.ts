/** A session as it is stored: nothing in it lets anybody in. */
export interface StoredSession {
  /** The SHA-256 of its token. */
  readonly id: string;
  /** Whose it is. */
  readonly person: string;
  readonly body: string;
  /** Milliseconds since the epoch. */
  readonly endsAt: number;
}

/** The sessions of one instance. Each may be lost: its person signs in again. */
export interface SessionStore {
  /** Ends others of the person beyond 10, and of all beyond 10,000: those that would end first. */
  add(session: StoredSession): Promise<void>;
  /** Undefined if it has ended. */
  get(id: string): Promise<StoredSession | undefined>;
  /** Changes nothing if it has ended. */
  extend(id: string, endsAt: number): Promise<void>;
  end(id: string): Promise<void>;
}
