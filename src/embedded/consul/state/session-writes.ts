import { parseGoDuration } from '../go-duration.js';
import { deleteKey } from './kv-writes.js';
import type { SessionRow } from './rows.js';
import type { SessionClock } from './session-clock.js';
import type { StateStore, WriteTransaction } from './state-store.js';

const longestLockDelayNs = 60e9;
/** A session lives twice its TTL, so that a renewal may be late. */
const ttlMultiplier = 2;

/** Ends the session and frees or deletes what it locked; freed keys stay unlockable for the lock-delay. */
export function endSession(transaction: WriteTransaction, clock: SessionClock, session: SessionRow): void {
  transaction.remove('sessions', session.ID);
  transaction.touch('sessions');
  const delayMs = Math.min(session.LockDelay, longestLockDelayNs) / 1e6;
  for (const row of transaction.list('kvs')) {
    if (row.Session !== session.ID) continue;
    if (session.Behavior === 'delete') deleteKey(transaction, row.Key);
    else {
      const { Session: _freed, ...rest } = row;
      transaction.put('kvs', row.Key, { ...rest, ModifyIndex: transaction.index });
      transaction.touch('kvs');
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

/** Starts the session's lifetime anew; nothing for a session without TTL. */
export function armSession(store: StateStore, clock: SessionClock, session: SessionRow): void {
  const ttlNs = session.TTL === '' ? 0 : (parseGoDuration(session.TTL) ?? 0);
  if (ttlNs <= 0) return;
  clock.arm(session.ID, (ttlNs / 1e6) * ttlMultiplier, () => {
    const current = store.get('sessions', session.ID);
    if (current !== undefined) store.write((transaction) => endSession(transaction, clock, current));
  });
}
