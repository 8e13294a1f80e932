import type { OAuthClient } from '../model/client.js';
import type { Evidence, Job } from '../model/trigger.js';
import type { ClientId } from './world.js';

/** All evidence of removals in the job's triggers, without duplicates. */
export function evidenceOf(job: Job): readonly Evidence[] {
  const seen = new Map<string, Evidence>();
  for (const trigger of job.triggers)
    for (const each of trigger.evidence ?? []) seen.set(JSON.stringify(each), each);
  return [...seen.values()];
}

/** Adds the client ID to evidence that names the client by its internal ID. */
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
