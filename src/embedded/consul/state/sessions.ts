import type { Clock } from '../../../clock.js';
import { parseGoDuration } from '../../../model/go-duration.js';
import { deleteKey } from './kv-writes.js';
import type { SessionRow } from './rows.js';
import type { StateStore, WriteTransaction } from './state-store.js';

const longestLockDelayNs = 60e9;
/** A session lives twice its TTL, so that a renewal may be late. */
const ttlMultiplier = 2;

/**
 * When sessions end and when freed keys may be locked again: kept in memory by the leader alone, as Consul does,
 * so that a restarted server restarts the lifetime of every session.
 */
export class SessionClock {
  readonly #clock: Clock;
  readonly #timers = new Map<string, AbortController>();
  readonly #lockableAt = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Calls `expire` once `ms` have passed without another arming. */
  arm(sessionId: string, ms: number, expire: () => void): void {
    this.disarm(sessionId);
    const timer = new AbortController();
    this.#timers.set(sessionId, timer);
    this.#clock.sleep(ms, timer.signal).then(
      () => {
        this.#timers.delete(sessionId);
        expire();
      },
      () => {},
    );
  }

  disarm(sessionId: string): void {
    this.#timers.get(sessionId)?.abort();
    this.#timers.delete(sessionId);
  }

  /** Refuses locks on the key for `ms` from now. */
  delayLock(key: string, ms: number): void {
    this.#lockableAt.set(key, this.#clock.now() + ms);
  }

  isLockDelayed(key: string): boolean {
    const at = this.#lockableAt.get(key);
    if (at === undefined) return false;
    if (at > this.#clock.now()) return true;
    this.#lockableAt.delete(key);
    return false;
  }

  close(): void {
    for (const timer of this.#timers.values()) timer.abort();
    this.#timers.clear();
  }
}

/** Ends the session and frees or deletes what it locked; freed keys stay unlockable for the lock-delay. */
export function endSession(transaction: WriteTransaction, clock: SessionClock, session: SessionRow): void {
  transaction.remove('sessions', session.ID);
  const delayMs = Math.min(session.LockDelay, longestLockDelayNs) / 1e6;
  for (const row of transaction.list('kvs')) {
    if (row.Session !== session.ID) continue;
    if (session.Behavior === 'delete') deleteKey(transaction, row.Key);
    else {
      const { Session: _freed, ...rest } = row;
      transaction.put('kvs', row.Key, { ...rest, ModifyIndex: transaction.index });
    }
    if (delayMs > 0) clock.delayLock(row.Key, delayMs);
  }
  clock.disarm(session.ID);
}

/** Ends every session of the node. */
export function endSessionsOf(transaction: WriteTransaction, clock: SessionClock, node: string): void {
  for (const session of transaction.list('sessions')) {
    if (session.Node.toLowerCase() === node.toLowerCase()) endSession(transaction, clock, session);
  }
}

/** Restarts the session's lifetime. Does nothing for a session without TTL. */
export function armSession(store: StateStore, clock: SessionClock, session: SessionRow): void {
  const ttlNs = session.TTL === '' ? 0 : (parseGoDuration(session.TTL) ?? 0);
  if (ttlNs <= 0) return;
  clock.arm(session.ID, (ttlNs / 1e6) * ttlMultiplier, () => {
    const current = store.get('sessions', session.ID);
    if (current !== undefined) store.write((transaction) => endSession(transaction, clock, current));
  });
}
