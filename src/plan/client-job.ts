import type { OAuthClient } from '../model/client.js';
import type { CauseKind, Evidence, Job } from '../model/trigger.js';
import type { ClientId } from './world.js';

/**
 * The job without the rechecks that found what is known already, and know of no removal that the mass guard may hold:
 * what else is done now is not their event's doing.
 */
export function withoutSettledRechecks(
  job: Job,
  known: OAuthClient | undefined,
  now: OAuthClient | undefined,
): Job {
  // What a read does not change stays the same object.
  if (known === undefined || known !== now) return job;
  const triggers = job.triggers.filter(({ isRecheck, evidence = [] }) => !isRecheck || evidence.length > 0);
  return { ...job, triggers };
}

/** Of what happened elsewhere than at the IdP, and of a complete read, which has just said what there is. */
const KNOWN_CAUSES: readonly CauseKind[] = ['consul-watch', 'resync', 'config', 'full-read'];

/**
 * Whether the IdP is asked for this one client. A claim costs it no request: what the last complete read says holds, and
 * before the first one nothing follows.
 */
export function needsRead({ triggers }: Job): boolean {
  return triggers.some(({ cause }) => !KNOWN_CAUSES.includes(cause.kind));
}

/** Whether an order wants the client closed although its directory may not be readable. */
export function ordersToClose(job: Job): boolean {
  return job.triggers.some(
    ({ order }) => order?.kind === 'client-disabled' || order?.kind === 'client-deleted',
  );
}

/** Whether an order is to be carried out; one about a session asks nothing of the client. */
export function hasOrder(job: Job): boolean {
  return job.triggers.some(({ order }) => order !== undefined && order.kind !== 'session-revoked');
}

/** Evidence that names the client by its internal id names it by its client id from here on. */
export function withClientId(
  evidence: readonly Evidence[],
  id: ClientId,
  known: OAuthClient | undefined,
): readonly Evidence[] {
  const internalId = known?.internalId;
  return evidence.map((each) =>
    each.provider === id.provider &&
    internalId !== undefined &&
    (each.internalIds?.includes(internalId) ?? false)
      ? { ...each, clients: [...new Set([...(each.clients ?? []), id.clientId])] }
      : each,
  );
}
