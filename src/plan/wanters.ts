import type { ServiceName } from '../model/intention.js';
import type { ClaimStanding } from './claims.js';
import type { ClientOpenings } from './openings.js';
import { clientText, serviceText } from './world.js';

/** A destination, and the services whose clients' scopes open it or are held from opening it. */
export interface Wanters {
  readonly destination: ServiceName;
  readonly services: readonly ServiceName[];
}

/**
 * Who wants each destination, by its `serviceText`. An opening reaches the partition and namespace of its source
 * only. Computed once for all destinations, because looking through every service for each of them is quadratic.
 */
export function wantersOf(
  standings: ReadonlyMap<string, ClaimStanding>,
  openings: ReadonlyMap<string, ClientOpenings>,
): ReadonlyMap<string, Wanters> {
  const found = new Map<string, { destination: ServiceName; services: ServiceName[] }>();
  for (const standing of standings.values()) {
    if (standing.kind === 'none' || standing.kind === 'refused') continue;
    const opened = openings.get(clientText(standing.client));
    if (opened === undefined) continue;
    const names = new Set([...opened.openings, ...opened.held].map((opening) => opening.destination));
    for (const name of names) {
      const destination = { ...standing.service, name };
      const key = serviceText(destination);
      const known = found.get(key);
      if (known === undefined) found.set(key, { destination, services: [standing.service] });
      else known.services.push(standing.service);
    }
  }
  return found;
}
