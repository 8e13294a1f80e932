import type { ServiceName } from '../model/intention.js';
import type { ClaimStatus } from './claim-status.js';
import { desiredAccess } from './desired-access.js';
import type { DestinationInput } from './destination-input.js';
import { edgeBreakGlass, withBreakGlass } from './edge-break-glass.js';
import { isKept, statusOfSource } from './edge-claim.js';
import { namesOf } from './grant-text.js';
import { isOfWrittenEdge, parseLastAppliedText } from './last-applied.js';
import { missingDenies } from './missing-denies.js';
import { type ActualAccess, type Hold, intentionResource, intentionSubject } from './plan.js';

/** An edge with a record of a write, that is not in Consul and not desired any more. */
export interface GoneEdge extends Pick<Hold, 'subject' | 'resource' | 'client' | 'scopes' | 'before'> {
  /** Whether the outcome of the write is unknown. */
  readonly isUncertain: boolean;
}

/**
 * The recorded edges that are not in the entry, in any form, and that nothing wants there. An edge that may still be desired
 * is left out: its directory or the catalog is unread, or its claim is not recorded. So is a desired edge, which is put back,
 * and an edge without which a wider intention lets its source in, which gets a deny.
 */
export function goneEdges(input: DestinationInput): readonly GoneEdge[] {
  return input.entry?.unreadable === undefined ? unwantedEdges(input) : [];
}

/** The same, also of an entry that cannot be read, in which they may be. */
export function unwantedEdges(input: DestinationInput): readonly GoneEdge[] {
  const { destination, entry, lastApplied, mapping } = input;
  // The entry of such a destination is not known here.
  if (mapping.select?.hasService(destination) === false) return [];
  const { namespace, partition } = destination;
  const written = [...lastApplied].filter(([, text]) => isOfWrittenEdge(text));
  if (written.length === 0) return [];
  // Sources of others count too: without its mark an edge is held as `MarkLost`, and exists.
  const present = new Set(
    (entry?.sources ?? []).flatMap(({ peer, name, ...at }) =>
      peer === undefined && at.namespace === namespace && at.partition === partition
        ? intentionSubject(destination, name)
        : [],
    ),
  );
  const putBack = new Set(missingDenies(input).map(({ name }) => intentionSubject(destination, name)));
  return written.flatMap(([subject, text]): readonly GoneEdge[] => {
    if (present.has(subject) || putBack.has(subject)) return [];
    const name = decodeURIComponent(subject.slice(subject.lastIndexOf('/') + 1));
    const source: ServiceName = { partition, namespace, name };
    const claimStatus = statusOfSource(source, undefined, input);
    if (isKept(claimStatus, undefined, undefined, input)) return [];
    const written = parseLastAppliedText(text);
    const desired = withBreakGlass(
      desiredAccess(source, onceRecorded(claimStatus), input, undefined),
      edgeBreakGlass(source, claimStatus, written, input, undefined),
    );
    if (desired.access !== undefined || desired.awaits.length > 0) return [];
    return [
      {
        subject,
        resource: intentionResource(destination, name),
        ...(desired.client === undefined ? {} : { client: desired.client }),
        scopes: namesOf(written?.grants ?? []),
        before: accessOf(written?.digest),
        isUncertain: written?.digest === 'uncertain',
      },
    ];
  });
}

function onceRecorded(claimStatus: ClaimStatus): ClaimStatus {
  return claimStatus.kind === 'unrecorded' ? { ...claimStatus, kind: 'claimed' } : claimStatus;
}

/** The record has the methods and paths only as a text for comparison. */
function accessOf(digest: string | undefined): ActualAccess {
  return digest === 'allow' || digest === 'deny' ? { kind: digest } : { kind: 'other' };
}
