import type { ClaimStanding } from '../plan/claims.js';
import type { Opening } from '../plan/openings.js';
import { type ClientId, clientText, serviceText } from '../plan/world.js';
import type { WorldState } from './world-state.js';

/** What a client's services may do: what its scopes open, and the claims that count. */
export interface Reach {
  readonly opened: readonly Opening[];
  readonly standings: ReadonlyMap<string, ClaimStanding>;
}

export function reachOf(id: ClientId, world: WorldState, now: number): Reach {
  return {
    opened: world.openings().get(clientText(id))?.openings ?? [],
    standings: world.standings(now),
  };
}

/**
 * Whether a client's services may do less than before, by whatever way: a scope, its kind, a claim that is not confirmed
 * any more. What is not known yet what it is worth has lost nothing.
 */
export function losesReach(id: ClientId, before: Reach, after: Reach): boolean {
  if (before.opened !== after.opened) {
    const left = new Set(after.opened.map((opening) => JSON.stringify(opening)));
    if (before.opened.some((opening) => !left.has(JSON.stringify(opening)))) return true;
  }
  if (before.standings === after.standings) return false;
  return (claimedBy(before.standings).get(clientText(id)) ?? []).some((service) => {
    const standing = after.standings.get(service);
    if (standing === undefined || standing.kind === 'none') return true;
    return standing.kind === 'refused' || clientText(standing.client) !== clientText(id);
  });
}

/** Counted once for each state of the claims, for thousands of clients may ask. */
const known = new WeakMap<Reach['standings'], ReadonlyMap<string, readonly string[]>>();

function claimedBy(standings: Reach['standings']): ReadonlyMap<string, readonly string[]> {
  const cached = known.get(standings);
  if (cached !== undefined) return cached;
  const services = new Map<string, string[]>();
  for (const standing of standings.values()) {
    if (standing.kind !== 'claimed') continue;
    const client = clientText(standing.client);
    services.set(client, [...(services.get(client) ?? []), serviceText(standing.service)]);
  }
  known.set(standings, services);
  return services;
}
