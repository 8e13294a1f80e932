import type { ClaimRecord } from '../model/catalog.js';
import { compareText } from '../model/compare-text.js';
import type { ServiceName } from '../model/intention.js';
import type { Mapping } from '../model/rule.js';
import { classify } from './actor.js';
import type { ClaimStatus } from './claim-status.js';
import { claimResource, claimSubject, type Hold, type PlannedClient } from './plan.js';
import { type ClientId, clientText, findClient, mayOnlyLose, serviceText, type World } from './world.js';

/** What a client's job does to claims: at most one record created or removed, never both, and the holds. */
export interface ClientPlan {
  readonly client: PlannedClient;
  /** With `claims: first`: the record to create for the first service that claims the client. */
  readonly create: ServiceName | undefined;
  /** A record whose service no longer claims the client. */
  readonly remove: ClaimRecord | undefined;
  readonly holds: readonly Hold[];
}

/**
 * Plans the claims on one client. If several services claim an unrecorded client, the service that is known to have
 * claimed it first gets the record, because the others lose their edges of the client at once. Services that came at the
 * same time are ordered by name. `claims` are the statuses of all services that claim the client.
 */
export function planClient(
  client: ClientId,
  world: World,
  claims: readonly ClaimStatus[],
  mapping: Mapping,
): ClientPlan {
  const about = claims.toSorted((a, b) => compareText(serviceText(a.service), serviceText(b.service)));
  const known = findClient(world, client);
  const planned: PlannedClient = {
    ...client,
    actorKind: known === undefined ? 'unknown' : classify(known, mapping),
  };
  const holds: Hold[] = [];
  for (const claimStatus of about) {
    // Its own instance reports the claim of a service that may be a source here.
    if (mapping.select?.hasService(claimStatus.service) === false) continue;
    const held =
      claimStatus.kind === 'refused'
        ? { reason: claimStatus.reason, detail: claimStatus.detail }
        : claimStatus.kind === 'claimed' && claimStatus.addNothing
          ? {
              reason: 'ClaimAmbiguous' as const,
              detail:
                'instances of this service claim different clients; the old claim stays in force and gains nothing until all instances agree',
            }
          : undefined;
    if (held === undefined) continue;
    holds.push({
      subject: claimSubject(client, claimStatus.service.name),
      resource: claimResource(claimStatus.service),
      reason: held.reason,
      detail: held.detail,
      action: 'grant',
      scopes: [],
      client: planned,
    });
  }
  if (mapping.claims !== 'first' || world.catalog === undefined)
    return { client: planned, create: undefined, remove: undefined, holds };
  const record = world.claimRecords.get(clientText(client));
  const stillClaims =
    record !== undefined && about.some(({ service }) => serviceText(service) === serviceText(record.service));
  const [waiting] = about
    .filter((claimStatus) => claimStatus.kind === 'unrecorded' && !claimStatus.addNothing)
    .toSorted((a, b) => sinceOf(a, client, world) - sinceOf(b, client, world));
  return {
    client: planned,
    create:
      record === undefined && known !== undefined && !mayOnlyLose(world, client)
        ? waiting?.service
        : undefined,
    // Deleting what cannot be read would give the client to the next service that claims it.
    remove: record?.unreadableKey === undefined && !stillClaims ? record : undefined,
    holds,
  };
}

function sinceOf({ service }: ClaimStatus, client: ClientId, { remembered, now }: World): number {
  const claim = remembered.get(serviceText(service));
  return claim !== undefined && clientText(claim) === clientText(client) ? claim.since : now;
}
