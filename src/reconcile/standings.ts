import type { ServiceName } from '../model/intention.js';
import type { ClaimStanding } from '../plan/claims.js';
import type { Wanters } from '../plan/wanters.js';
import { clientText } from '../plan/world.js';

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
