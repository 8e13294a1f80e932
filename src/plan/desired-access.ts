import type { Access, IntentionSource, ServiceName } from '../model/intention.js';
import { covers, intersection, union } from './access.js';
import type { ClaimStatus } from './claim-status.js';
import type { DestinationInput } from './destination-input.js';
import { toGrantText } from './grant-text.js';
import type { Opening } from './openings.js';
import { type Hold, intentionResource, intentionSubject, type PlannedClient } from './plan.js';
import { quarantineText } from './stored-block.js';
import { keptUserAccess, openForUser } from './user-tokens.js';
import { clientText, mayOnlyLose } from './world.js';

/** The access that a source should have at a destination, the scopes that open it, and the holds. */
export interface DesiredAccess {
  readonly access: Access | undefined;
  readonly scopes: readonly string[];
  /** The same with their APIs, in the form of `toGrantText`. */
  readonly opensBy: readonly string[];
  readonly client: PlannedClient | undefined;
  readonly holds: readonly Hold[];
  /** Identity providers whose jwt-provider must exist before the whole access can be written. */
  readonly awaits: readonly string[];
}

const NOTHING: DesiredAccess = {
  access: undefined,
  scopes: [],
  opensBy: [],
  client: undefined,
  holds: [],
  awaits: [],
};

/** What the source should have at the destination, and what is held. */
export function desiredAccess(
  source: ServiceName,
  claimStatus: ClaimStatus,
  input: DestinationInput,
  ours: IntentionSource | undefined,
): DesiredAccess {
  const { destination, mapping, world } = input;
  if (claimStatus.kind !== 'claimed' && claimStatus.kind !== 'unrecorded') {
    return NOTHING;
  }
  const kept = ours === undefined || ours.access.kind === 'other' ? undefined : ours.access;
  const id = claimStatus.client;
  const opened = input.openings.get(clientText(id));
  if (opened === undefined) return NOTHING;
  const client: PlannedClient = { provider: id.provider, clientId: id.clientId, actorKind: opened.actorKind };
  const holds: Hold[] = [];
  const hold = (reason: Hold['reason'], detail: string, scopes: readonly string[]) =>
    holds.push({
      subject: intentionSubject(destination, source.name),
      resource: intentionResource(destination, source.name),
      reason,
      detail,
      action: 'grant',
      client,
      scopes,
    });
  const block = world.clientBlocks.get(clientText(id));
  if (block !== undefined) {
    const isProtected = mapping.protectedServices.includes(destination.name.toLowerCase());
    const refused = isProtected
      ? []
      : opened.openings.filter((opening) => isOpenedAt(destination, source, opening));
    const scopes = [...new Set(refused.map(({ scope }) => scope))].toSorted();
    if (block === 'ClientQuarantined' && scopes.length > 0) hold(block, quarantineText(id), scopes);
    return { ...NOTHING, client, holds };
  }
  for (const held of opened.held)
    if (isOpenedAt(destination, source, held)) hold(held.reason, held.detail, [held.scope]);

  const here: Opening[] = [];
  const awaits = new Set<string>();
  const awaiting: string[] = [];
  let access: Access | undefined;
  for (const opening of opened.openings) {
    if (!isOpenedAt(destination, source, opening)) continue;
    const forUser = openForUser(opening, id, input);
    if (forUser.kind === 'held') hold(forUser.reason, forUser.detail, [opening.scope]);
    if (forUser.kind === 'awaits') {
      awaits.add(forUser.provider);
      awaiting.push(opening.scope);
    }
    const part = forUser.kind === 'open' ? forUser.access : keptUserAccess(kept, forUser.stays);
    if (part === undefined) continue;
    here.push(opening);
    access = union(access, part);
  }
  const scopes = [...new Set(here.map((opening) => opening.scope))].toSorted();
  const nothing = { ...NOTHING, client, holds };
  const isDesired = access !== undefined || awaits.size > 0;
  // Without a jwt-provider too: it would be created for an access that is then held, and deleted again.
  if (isDesired && mapping.protectedServices.includes(destination.name.toLowerCase())) {
    hold(
      'ProtectedDestination',
      'guards.protected lists this destination, so scopemesh never opens it; to allow access, remove it from guards.protected',
      [...new Set([...scopes, ...awaiting])].toSorted(),
    );
    return nothing;
  }
  if (access?.kind === 'http' && input.protocol === 'tcp') {
    hold(
      'ProtocolUnsuitable',
      'Consul enforces methods and paths only for HTTP destinations, and this destination uses tcp; set Protocol http in its service-defaults',
      scopes,
    );
    return nothing;
  }
  const mayAdd = claimStatus.kind === 'claimed' && !claimStatus.addNothing && !mayOnlyLose(world, id);
  if (!mayAdd && access !== undefined && !covers(kept, access)) {
    if (claimStatus.addNothing) {
      hold(
        'ClaimAmbiguous',
        'instances of the source claim different clients; the source gains no access until all instances agree',
        scopes,
      );
    }
    access = intersection(kept, access);
  }
  const waits = mayAdd ? [...awaits].toSorted() : [];
  if (access === undefined) return { ...nothing, awaits: waits };
  const opensBy = here.map(({ api, scope }) =>
    toGrantText({ name: scope, ...(api === undefined ? {} : { api }) }),
  );
  return { access, scopes, opensBy: [...new Set(opensBy)].toSorted(), client, holds, awaits: waits };
}

/**
 * Content that is not understood cannot be narrowed. While the client may only lose, it stays if the client opens anything
 * here, as only a complete read may put the desired access there.
 */
export function isUnclearButGranted(
  source: ServiceName,
  claimStatus: ClaimStatus,
  input: DestinationInput,
  ours: IntentionSource | undefined,
): boolean {
  if (ours?.access.kind !== 'other' || claimStatus.kind === 'none') return false;
  if (!mayOnlyLose(input.world, claimStatus.client)) return false;
  const widest: IntentionSource = { ...ours, access: { kind: 'allow' } };
  return desiredAccess(source, claimStatus, input, widest).access !== undefined;
}

/**
 * Whether an opening of a source's client applies to this destination, which must be in the source's partition and
 * namespace. Names of config entries are case-insensitive, and the destination of an opening is always lower-case.
 */
function isOpenedAt(
  destination: ServiceName,
  source: ServiceName,
  opening: { readonly destination: string },
): boolean {
  return (
    opening.destination === destination.name.toLowerCase() &&
    source.partition === destination.partition &&
    source.namespace === destination.namespace
  );
}
