import type { CatalogService } from '../model/catalog.js';
import type { ServiceName } from '../model/intention.js';
import type { ClaimStanding } from '../plan/claims.js';
import type { Wanters } from '../plan/wanters.js';
import { clientText, type RememberedClaim, type World } from '../plan/world.js';

/** Every service's standing with what follows from it, as judged at one moment. */
export interface Standings {
  /** Of what they depend on. */
  readonly version: number;
  /** When they were judged, and until when that holds; milliseconds since the epoch. */
  readonly now: number;
  readonly until: number;
  readonly value: ReadonlyMap<string, ClaimStanding>;
  readonly byClient: ReadonlyMap<string, readonly ServiceName[]>;
  readonly wanters: ReadonlyMap<string, Wanters>;
}

/** The services that claim each client, whatever the claim is worth. */
export function servicesByClient(
  standings: ReadonlyMap<string, ClaimStanding>,
): ReadonlyMap<string, readonly ServiceName[]> {
  const found = new Map<string, ServiceName[]>();
  for (const standing of standings.values()) {
    if (standing.kind === 'none') continue;
    const key = clientText(standing.client);
    const services = found.get(key);
    if (services === undefined) found.set(key, [standing.service]);
    else services.push(standing.service);
  }
  return found;
}

/** When the next grace of a remembered claim ends; infinity where none runs. */
export function nextGraceEnd(
  remembered: Iterable<RememberedClaim>,
  claimGraceMs: number,
  now: number,
): number {
  let next = Number.POSITIVE_INFINITY;
  for (const { lastSeenAt } of remembered) {
    const end = lastSeenAt + claimGraceMs;
    if (end > now) next = Math.min(next, end);
  }
  return next;
}

/** The world with these services alone. */
export function onlyServices(
  world: World,
  keys: ReadonlySet<string>,
  known: ReadonlyMap<string, CatalogService>,
): World {
  const services = [...keys].flatMap((key) => known.get(key) ?? []);
  return {
    ...world,
    catalog: world.catalog && { ...world.catalog, services },
    remembered: new Map([...world.remembered].filter(([key]) => keys.has(key))),
  };
}
