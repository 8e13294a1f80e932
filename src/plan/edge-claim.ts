import type { IntentionSource, ServiceName } from '../model/intention.js';
import type { ClaimStatus } from './claim-status.js';
import type { DestinationInput } from './destination-input.js';
import { clientOfDescription } from './ownership.js';
import type { PlannedClient } from './plan.js';
import { clientText, mayOnlyLose, serviceText } from './world.js';

/** The client that the mark of an edge names: the one that opened it. */
export function formerClient(
  ours: IntentionSource | undefined,
  input: DestinationInput,
): PlannedClient | undefined {
  if (ours === undefined) return undefined;
  const id = clientOfDescription(ours.description);
  if (id === undefined) return undefined;
  return { actorKind: input.openings.get(clientText(id))?.actorKind ?? 'unknown', ...id };
}

/** The claim of the source of an edge. `former`: as `formerClient` says. */
export function statusOfSource(
  source: ServiceName,
  former: PlannedClient | undefined,
  input: DestinationInput,
): ClaimStatus {
  const known = input.claimStatuses.get(serviceText(source));
  if (known !== undefined) return known;
  if (input.world.catalog !== undefined) return { kind: 'none', service: source, vanished: true };
  return { kind: 'unknown', service: source, client: former ?? { provider: '', clientId: '' } };
}

/**
 * An edge with an unknown claim stays as it is. Two facts need no read: an order closed the client, or the service now
 * claims another client than the one that opened the edge. A client that may only lose has nothing to lose without a source
 * of ours.
 */
export function isKept(
  claimStatus: ClaimStatus,
  ours: IntentionSource | undefined,
  former: PlannedClient | undefined,
  { world }: DestinationInput,
): boolean {
  if (claimStatus.kind === 'none') return false;
  const hasNothing = ours === undefined && mayOnlyLose(world, claimStatus.client);
  if (claimStatus.kind !== 'unknown' && !hasNothing) return false;
  const isClosed = [claimStatus.client, former].some(
    (client) => client !== undefined && world.clientBlocks.has(clientText(client)),
  );
  const hasLeft =
    world.catalog !== undefined &&
    former !== undefined &&
    clientText(former) !== clientText(claimStatus.client);
  return !isClosed && !hasLeft;
}
