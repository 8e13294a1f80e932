import type { Cause, CauseKind } from '../model/cause.js';
import type { OAuthClient } from '../model/client.js';
import type { Job, ReadProof, Trigger } from '../model/trigger.js';

/**
 * The job without rechecks that found no change and carry no evidence. Other changes of the job must not be attributed to
 * the events of these rechecks.
 */
export function withoutSettledRechecks(
  job: Job,
  known: OAuthClient | undefined,
  now: OAuthClient | undefined,
): Job {
  // A read that changes nothing returns the same object.
  if (known === undefined || known !== now) return job;
  const triggers = job.triggers.filter(({ isRecheck, evidence = [] }) => !isRecheck || evidence.length > 0);
  return { ...job, triggers };
}

/**
 * The rechecks of a job that did not end. What they found may not be done yet, and the next read shows nothing new: they come
 * again as what always counts.
 */
export function unendedRechecks({ triggers }: Job): readonly Trigger[] {
  return triggers.flatMap(({ isRecheck, urgent: _, ...trigger }) => (isRecheck === true ? [trigger] : []));
}

/** Causes outside the identity provider, and a complete read, which has just returned the current state. */
const KNOWN_CAUSES: readonly CauseKind[] = ['consul-watch', 'resync', 'config', 'full-read'];

/**
 * Whether the job must read this client from the identity provider. A claim causes no request: the last complete read is
 * used, and before the first complete read nothing is concluded.
 */
export function needsRead({ triggers }: Job): boolean {
  return triggers.some(({ cause }) => !KNOWN_CAUSES.includes(cause.kind));
}

/** Causes that follow a complete list, so that no other read is needed: a write finds later changes. */
const LISTED: readonly CauseKind[] = ['resync', 'full-read', 'command'];

export function isOfList({ kind }: Cause): boolean {
  return LISTED.includes(kind);
}

/** Whether an order closes the client even if its directory cannot be read. */
export function ordersToClose(job: Job): boolean {
  return job.triggers.some(
    ({ order }) => order?.kind === 'client-disabled' || order?.kind === 'client-deleted',
  );
}

export function proofOf(job: Job): ReadProof | undefined {
  if (hasOrder(job)) return 'order';
  return job.triggers.some(({ evidence = [] }) => evidence.length > 0) ? 'evidence' : undefined;
}

/** Whether the job has an order for the client. An order about a session does not affect the client. */
export function hasOrder(job: Job): boolean {
  return job.triggers.some(({ order }) => order !== undefined && order.kind !== 'session-revoked');
}
