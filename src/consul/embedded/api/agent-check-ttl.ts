import type { Cell } from '../cell.js';
import { parseGoDuration } from '../go-duration.js';
import { followService } from '../state/alias-checks.js';
import { ensureCheck, memberKey } from '../state/catalog-writes.js';
import { endSessionsOf } from '../state/session-writes.js';
import type { WriteTransaction } from '../state/state-store.js';

/** Where the lifetime of a TTL check is kept, so that a restarted agent goes on counting. */
const factPrefix = 'check-ttl/';

/** Remembers how long the check may go unreported; an empty TTL forgets it. */
export function keepCheckTtl(transaction: WriteTransaction, checkId: string, ttl: string): void {
  if (ttl === '') transaction.remove('facts', `${factPrefix}${checkId}`);
  else transaction.put('facts', `${factPrefix}${checkId}`, { value: ttl });
}

/** Starts the check's time anew: unless it is reported within its TTL it turns critical. */
export function armCheck(cell: Cell, checkId: string): void {
  const ttl = cell.store.get('facts', `${factPrefix}${checkId}`)?.value;
  const ns = ttl === undefined ? undefined : parseGoDuration(ttl);
  if (ns === undefined || ns <= 0) cell.sessions.disarm(timerOf(checkId));
  else cell.sessions.arm(timerOf(checkId), ns / 1e6, () => expire(cell, checkId));
}

/** Starts the time of every TTL check that the state holds, as an agent does when it comes back. */
export function armChecks(cell: Cell): void {
  for (const check of cell.store.list('checks', memberKey(cell.nodeName, ''))) armCheck(cell, check.CheckID);
}

function timerOf(checkId: string): string {
  return `check/${checkId}`;
}

function expire(cell: Cell, checkId: string): void {
  const check = cell.store.get('checks', memberKey(cell.nodeName, checkId));
  // A deregistered check's timer may still run; there is nothing left to fail.
  if (check === undefined) return;
  const { CreateIndex: _created, ModifyIndex: _modified, ...content } = check;
  const last = check.Output === '' ? '' : ` (last output before timeout follows): ${check.Output}`;
  cell.store.write((transaction) => {
    ensureCheck(transaction, { ...content, Status: 'critical', Output: `TTL expired${last}` });
    followService(transaction, cell.nodeName, check.ServiceID);
    endSessionsOf(transaction, cell.sessions, cell.nodeName, checkId);
  });
}
