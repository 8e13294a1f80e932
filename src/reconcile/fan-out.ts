import { causeOf } from '../apply/decision-drafts.js';
import type { Cause, CauseKind } from '../model/cause.js';
import type { ServiceName } from '../model/intention.js';
import { destinationKey } from '../model/key.js';
import type { Evidence, Job, Trigger } from '../model/trigger.js';
import { type ClientId, serviceText } from '../plan/world.js';

/** One trigger for each destination, with the cause and the evidence of the job that leads there. */
export function fanOut(
  destinations: readonly ServiceName[],
  job: Job,
  evidence: readonly Evidence[],
  urgent: boolean,
  client?: ClientId,
): readonly Trigger[] {
  const cause = causeOf(job);
  const unique = new Map(destinations.map((destination) => [serviceText(destination), destination]));
  return [...unique.values()].map((destination) => ({
    key: destinationKey(destination.name, destination.namespace, destination.partition),
    cause,
    ...(urgent ? { urgent } : {}),
    ...(client === undefined ? {} : { client }),
    ...(evidence.length === 0 ? {} : { evidence }),
  }));
}

/** Everything the job's triggers know of removals, each said once. */
export function evidenceOf(job: Job): readonly Evidence[] {
  const seen = new Map<string, Evidence>();
  for (const trigger of job.triggers)
    for (const each of trigger.evidence ?? []) seen.set(JSON.stringify(each), each);
  return [...seen.values()];
}

/** Causes that follow a list of what stands, so that it need not be read once more: a write finds out what has changed. */
const LISTED: readonly CauseKind[] = ['resync', 'full-read', 'command'];

export function isOfList({ kind }: Cause): boolean {
  return LISTED.includes(kind);
}
