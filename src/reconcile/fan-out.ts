import { causeOf } from '../apply/decision-drafts.js';
import type { ServiceName } from '../model/intention.js';
import { destinationKey } from '../model/key.js';
import type { Evidence, Job, Trigger } from '../model/trigger.js';
import type { Reached } from '../plan/reached.js';
import { type ClientId, serviceText } from '../plan/world.js';

/** One trigger for each destination, with the cause and the evidence of the job that leads there. */
export function fanOut(
  destinations: readonly ServiceName[],
  job: Job,
  evidence: readonly Evidence[],
  urgent: boolean,
  client: ClientId | undefined,
  loses = false,
): readonly Trigger[] {
  const cause = causeOf(job);
  const unique = new Map(destinations.map((destination) => [serviceText(destination), destination]));
  return [...unique.values()].map((destination) => ({
    key: destinationKey(destination.name, destination.namespace, destination.partition),
    cause,
    ...(urgent ? { urgent } : {}),
    ...(loses ? { loses } : {}),
    ...(client === undefined ? {} : { client }),
    ...(evidence.length === 0 ? {} : { evidence }),
  }));
}

/** One trigger per destination for all reaches with the same content. */
export function reachTriggers(provider: string, reaches: readonly Reached[], job: Job): readonly Trigger[] {
  const groups = new Map<string, Reached[]>();
  for (const reach of reaches) {
    const alike = JSON.stringify([reach.urgent, reach.loses, reach.isNamed && reach.clientId]);
    const known = groups.get(alike);
    if (known === undefined) groups.set(alike, [reach]);
    else known.push(reach);
  }
  return [...groups.values()].flatMap((group) => {
    const [one] = group;
    if (one === undefined) return [];
    return fanOut(
      group.flatMap(({ at }) => at),
      job,
      one.evidence,
      one.urgent,
      one.isNamed ? { provider, clientId: one.clientId } : undefined,
      one.loses,
    );
  });
}
