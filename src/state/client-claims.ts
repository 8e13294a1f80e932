import { compareText } from '../model/compare-text.js';
import { type ClientPlan, planClient } from '../plan/plan-client.js';
import { type ClientId, clientText } from '../plan/world.js';
import type { WorldState } from './world-state.js';

/** The plan of the claims on a client, from the last read state. */
export function planClaims(id: ClientId, world: WorldState, now: number): ClientPlan {
  return planClient(id, world.view(now), world.claimsOn(id, now), world.mapping);
}

/** Whether the client's job has more to do than to queue its destinations. */
export function hasClaimWork(id: ClientId, world: WorldState, now: number): boolean {
  if (world.client(id) === undefined || world.clientBlock(id) !== undefined) return true;
  const plan = planClaims(id, world, now);
  return plan.holds.length > 0 || plan.create !== undefined || plan.remove !== undefined;
}

/** Every client that a service claims or a record names. */
export function clientsOf(world: WorldState, now: number): readonly ClientId[] {
  const found = new Map<string, ClientId>();
  for (const claimStatus of world.claimStatuses(now).values())
    if (claimStatus.kind !== 'none') found.set(clientText(claimStatus.client), claimStatus.client);
  for (const { provider, clientId } of world.claimRecords)
    found.set(clientText({ provider, clientId }), { provider, clientId });
  return [...found.entries()].toSorted(([a], [b]) => compareText(a, b)).map(([, client]) => client);
}
