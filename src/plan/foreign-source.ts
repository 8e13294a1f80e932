import type { IntentionSource, ServiceName } from '../model/intention.js';
import type { DesiredAccess } from './desired-access.js';
import type { DestinationInput } from './destination-input.js';
import type { LastApplied } from './last-applied.js';
import { isOwned, otherOwnerOf, roomForText } from './ownership.js';
import { type Hold, intentionResource, intentionSubject } from './plan.js';

/** A source of the same name that this instance does not own, if access to it is desired or was written. */
export function foreignHold(
  source: ServiceName,
  desired: DesiredAccess,
  foreign: IntentionSource,
  lastApplied: LastApplied | undefined,
  input: DestinationInput,
): readonly Hold[] {
  const isUnselected = isOwned(input.mapping.owner, foreign);
  const markLost = wasWritten(lastApplied) && !isUnselected;
  if (desired.access === undefined && !markLost) return [];
  const other = otherOwnerOf(input.mapping.owner, foreign.description);
  return [
    {
      subject: intentionSubject(input.destination, source.name),
      resource: intentionResource(input.destination, source.name),
      reason: markLost ? 'MarkLost' : 'ForeignSource',
      detail: other
        ? `the scopemesh instance with owner ${other} created this source; let only one of the two instances manage this destination (give both a select: without overlap, or list the destination in guards.protected of the other one), or remove the source if that instance no longer exists`
        : isUnselected
          ? 'this instance created this source for a client that select.clients no longer has, and keeps it as it is; remove the source, or let select.clients match that client'
          : markLost
            ? `scopemesh wrote this source, but the mark is missing from its Description; restore the mark with 'scopemesh adopt', or remove the source${tooLong(foreign, desired, input)}`
            : `a source with this name exists and scopemesh does not own it; remove it, or run 'scopemesh adopt' if it allows exactly the desired access${tooLong(foreign, desired, input)}`,
      action: desired.access === undefined ? 'revoke' : 'grant',
      scopes: desired.scopes,
      before: foreign.access,
      after: desired.access,
      ...(desired.client === undefined ? {} : { client: desired.client }),
    },
  ];
}

/** An adoption keeps the Description beside the mark. */
function tooLong(
  { description }: IntentionSource,
  { client }: DesiredAccess,
  { mapping }: DestinationInput,
): string {
  const bytes = Buffer.byteLength(description);
  const room = client === undefined ? bytes : roomForText(mapping.owner, client);
  return bytes <= room
    ? ''
    : `; to adopt it, first shorten its Description from ${bytes} to ${room} bytes, so that it fits beside the mark`;
}

/** Whether the last write of an edge wrote a source and did not remove it. */
export function wasWritten(lastApplied: LastApplied | undefined): boolean {
  return lastApplied !== undefined && lastApplied.digest !== 'none';
}
