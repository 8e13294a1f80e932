import type { ServiceName } from '../../src/model/intention.js';
import type { Mapping } from '../../src/model/rule.js';
import { type ClaimStatus, claimStatusOf } from '../../src/plan/claim-status.js';
import { type DestinationSources, destinationNames } from '../../src/plan/destination-sources.js';
import type { ClientOpenings } from '../../src/plan/openings.js';
import { clientText, parseServiceText, serviceText, type World } from '../../src/plan/world.js';

// What the state keeps up to date bit by bit, computed at once.

/** The claim status of every service in the catalog or the claim memory, by `serviceText`. */
export function claimStatuses(
  world: World,
  mapping: Mapping,
  settings: Parameters<typeof claimStatusOf>[4],
): ReadonlyMap<string, ClaimStatus> {
  const result = new Map<string, ClaimStatus>();
  for (const catalogService of world.catalog?.services ?? []) {
    const key = serviceText(catalogService.name);
    result.set(key, claimStatusOf(catalogService.name, catalogService, world, mapping, settings));
  }
  for (const [key, { provider, clientId }] of world.remembered) {
    if (result.has(key)) continue;
    const serviceName = parseServiceText(key);
    result.set(
      key,
      world.catalog === undefined
        ? { kind: 'unknown', service: serviceName, client: { provider, clientId } }
        : claimStatusOf(serviceName, undefined, world, mapping, settings),
    );
  }
  return result;
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
