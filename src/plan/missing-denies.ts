import type { IntentionEntry, ServiceName } from '../model/intention.js';
import type { DestinationInput } from './destination-input.js';
import { isOfWrittenEdge } from './last-applied.js';
import { allowsAnything, fallbackIntention } from './precedence.js';
import { serviceText } from './world.js';

/**
 * The sources with a recorded edge that is not in Consul, so that a wider intention lets them in: a deny is put there, as it
 * is where scopemesh itself would remove the edge. Not for a client outside the selection, whose edge may be another
 * instance's now.
 */
export function missingDenies(input: DestinationInput): readonly ServiceName[] {
  const { destination, entry, wildcard, lastApplied, mapping, claimStatuses } = input;
  const written = [...lastApplied].filter(([, text]) => isOfWrittenEdge(text));
  if (written.length === 0 || mapping.select?.hasService(destination) === false) return [];
  const { namespace, partition } = destination;
  const present = new Set(
    (entry?.sources ?? []).flatMap(({ peer, name, ...at }) =>
      peer === undefined && at.namespace === namespace && at.partition === partition ? name : [],
    ),
  );
  return written.flatMap(([subject]) => {
    const name = decodeURIComponent(subject.slice(subject.lastIndexOf('/') + 1));
    const source = { partition, namespace, name };
    const status = claimStatuses.get(serviceText(source));
    if (present.has(name) || (status?.kind === 'none' && status.isOutside)) return [];
    return wouldOpen(source, entry, wildcard) ? [source] : [];
  });
}

/** Whether a wider intention lets the source in without its own one; one that cannot be read may. */
export function wouldOpen(
  source: ServiceName,
  entry: IntentionEntry | undefined,
  wildcard: IntentionEntry | undefined,
): boolean {
  if (wildcard?.unreadable !== undefined && entry?.unreadable === undefined) return true;
  const next = fallbackIntention(source, entry, wildcard);
  return next !== undefined && allowsAnything(next.access);
}
