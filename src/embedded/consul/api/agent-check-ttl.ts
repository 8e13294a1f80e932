import { parseGoDuration } from '../go-duration.js';
import type { ServerContext } from '../server-context.js';
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
export function armCheck(context: ServerContext, checkId: string): void {
  const ttl = context.store.get('facts', `${factPrefix}${checkId}`)?.value;
  const ns = ttl === undefined ? undefined : parseGoDuration(ttl);
  if (ns === undefined || ns <= 0) context.sessions.disarm(timerOf(checkId));
  else context.sessions.arm(timerOf(checkId), ns / 1e6, () => expire(context, checkId));
}

/** Starts the time of every TTL check that the state holds, as an agent does when it comes back. */
export function armChecks(context: ServerContext): void {
  for (const check of context.store.list('checks', memberKey(context.nodeName, '')))
    armCheck(context, check.CheckID);
}

function timerOf(checkId: string): string {
  return `check/${checkId}`;
}

function expire(context: ServerContext, checkId: string): void {
  const check = context.store.get('checks', memberKey(context.nodeName, checkId));
  // A deregistered check's timer may still run; there is nothing left to fail.
  if (check === undefined) return;
  const { CreateIndex: _created, ModifyIndex: _modified, ...content } = check;
  const last = check.Output === '' ? '' : ` (last output before timeout follows): ${check.Output}`;
  context.store.write((transaction) => {
    ensureCheck(transaction, { ...content, Status: 'critical', Output: `TTL expired${last}` });
    followService(transaction, context.nodeName, check.ServiceID);
    endSessionsOf(transaction, context.sessions, context.nodeName, checkId);
  });
}
