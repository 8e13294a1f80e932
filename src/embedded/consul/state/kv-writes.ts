import { quoted, serverFailure } from '../exchange.js';
import { contentOf, isSameContent, type KvRow } from './rows.js';
import type { WriteTransaction } from './state-store.js';

/** What a client writes; the store decides indexes, lock count and session. */
export interface KvWrite {
  readonly Key: string;
  readonly Flags: number;
  readonly Value: string | null;
}

/** Sets the key and keeps its lock. An equal value changes nothing, not even the index. */
export function setKey(transaction: WriteTransaction, write: KvWrite): KvRow {
  // A plain write resets the lock count although the session stays.
  return putKey(transaction, write, transaction.get('kvs', write.Key)?.Session, 0);
}

/** Compare-and-set; index 0 means that the key must not exist. */
export function setKeyIf(transaction: WriteTransaction, write: KvWrite, index: number): KvRow | undefined {
  if ((transaction.get('kvs', write.Key)?.ModifyIndex ?? 0) !== index) return undefined;
  return setKey(transaction, write);
}

/** Takes the lock for the session; undefined where another holds it. Throws where the session is gone. */
export function lockKey(transaction: WriteTransaction, write: KvWrite, session: string): KvRow | undefined {
  if (session === '') throw serverFailure('missing session');
  if (transaction.get('sessions', session.toLowerCase()) === undefined)
    throw serverFailure(`invalid session ${quoted(session)}`);
  const current = transaction.get('kvs', write.Key);
  if (current?.Session !== undefined && current.Session !== session) return undefined;
  const lockIndex = current?.Session === session ? current.LockIndex : (current?.LockIndex ?? 0) + 1;
  return putKey(transaction, write, session, lockIndex);
}

/** Removes the key and leaves a tombstone, which wakes waiting lists. */
export function deleteKey(transaction: WriteTransaction, key: string): void {
  if (transaction.get('kvs', key) === undefined) return;
  transaction.put('tombstones', key, { Key: key, Index: transaction.index });
  transaction.remove('kvs', key);
}

/** True also where there is nothing to delete; false where the index is stale. */
export function deleteKeyIf(transaction: WriteTransaction, key: string, index: number): boolean {
  const current = transaction.get('kvs', key);
  if (current === undefined) return true;
  if (current.ModifyIndex !== index) return false;
  deleteKey(transaction, key);
  return true;
}

export function deleteTree(transaction: WriteTransaction, prefix: string): void {
  for (const row of transaction.list('kvs', prefix)) deleteKey(transaction, row.Key);
}

function putKey(
  transaction: WriteTransaction,
  write: KvWrite,
  session: string | undefined,
  lockIndex: number,
): KvRow {
  const current = transaction.get('kvs', write.Key);
  const row: KvRow = {
    LockIndex: lockIndex,
    Key: write.Key,
    Flags: write.Flags,
    Value: write.Value,
    ...(session === undefined ? {} : { Session: session }),
    ...transaction.stamp('kvs', write.Key),
  };
  if (current !== undefined && isSameContent(current, contentOf(row))) return current;
  transaction.put('kvs', write.Key, row);
  return row;
}
