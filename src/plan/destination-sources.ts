import type { ServiceName } from '../model/intention.js';
import type { ClaimStatus } from './claim-status.js';
import type { ClientOpenings } from './openings.js';
import { clientText, serviceText } from './world.js';

/** A destination, and the services whose clients' scopes open it or are held from opening it. */
export interface DestinationSources {
  readonly destination: ServiceName;
  /** By `serviceText`. */
  readonly services: ReadonlyMap<string, ServiceName>;
}

/** Every destination that a client's scopes open or are held from opening, each once. */
export function destinationNames({ openings, held }: ClientOpenings): ReadonlySet<string> {
  const names = new Set<string>();
  for (const { destination } of openings) names.add(destination);
  for (const { destination } of held) names.add(destination);
  return names;
}

/** Those that it opens only for calls with a user's token. */
export function userDestinationNames({ openings }: ClientOpenings): ReadonlySet<string> {
  return new Set(openings.flatMap(({ destination, user }) => (user === undefined ? [] : destination)));
}

/**
 * The sources of each destination, by its `serviceText`. An opening reaches only the partition and namespace of its source.
 * Computed once for all destinations, because a search of all services per destination is quadratic.
 */
export function sourcesByDestination(
  claimStatuses: ReadonlyMap<string, ClaimStatus>,
  openings: ReadonlyMap<string, ClientOpenings>,
): ReadonlyMap<string, DestinationSources> {
  const found = new Map<string, { destination: ServiceName; services: Map<string, ServiceName> }>();
  for (const claimStatus of claimStatuses.values()) {
    if (claimStatus.kind === 'none' || claimStatus.kind === 'refused') continue;
    const opened = openings.get(clientText(claimStatus.client));
    if (opened === undefined) continue;
    for (const name of destinationNames(opened)) {
      const destination = { ...claimStatus.service, name };
      const key = serviceText(destination);
      const known = found.get(key);
      const serviceName = serviceText(claimStatus.service);
      if (known === undefined)
        found.set(key, { destination, services: new Map([[serviceName, claimStatus.service]]) });
      else known.services.set(serviceName, claimStatus.service);
    }
  }
  return found;
}
