import type { IntentionEntry, IntentionSource, ServiceName } from '../model/intention.js';
import { clientOfDescription, isOwned, isSourceOf } from '../plan/ownership.js';
import { allowsAnything, fallbackIntention } from '../plan/precedence.js';
import { type ClientId, clientText, serviceText } from '../plan/world.js';
import type { ReachEdge } from './blast-radius.js';

/** What Consul has now, of one partition and namespace. */
export interface Mesh {
  readonly owner: string;
  /** By `serviceText` of the destination. */
  readonly entries: ReadonlyMap<string, IntentionEntry>;
  readonly services: readonly ServiceName[];
  /** The client whose quarantine is asked about. */
  readonly client: ClientId | undefined;
}

/**
 * The edges from a source that let calls pass, foreign ones and wildcards included. Consul applies only the most exact
 * intention of each pair.
 */
export function meshEdges({ owner, entries, services, client }: Mesh): (source: ServiceName) => ReachEdge[] {
  const wildcard = [...entries.values()].find(({ destination }) => destination.name === '*');
  const isOurs = (source: IntentionSource) => {
    const named = clientOfDescription(source.description);
    return client !== undefined && named !== undefined && clientText(named) === clientText(client);
  };
  const destinations = new Map(services.map((serviceName) => [serviceText(serviceName), serviceName]));
  for (const { destination } of entries.values())
    if (destination.name !== '*') destinations.set(serviceText(destination), destination);
  return (source) =>
    [...destinations.values()].flatMap((destination): ReachEdge[] => {
      if (destination.name === source.name) return [];
      const entry = entries.get(serviceText(destination));
      const exact = entry?.sources.find((each) => each.peer === undefined && isSourceOf(each, source));
      const found = exact ?? fallbackIntention(source, entry, wildcard);
      if (found === undefined || !allowsAnything(found.access)) return [];
      const isOwnedHere = isOwned(owner, found);
      return [
        {
          source: source.name,
          destination: destination.name,
          access: found.access,
          writer: isOwnedHere ? 'scopemesh' : 'foreign',
          endsAtQuarantine: isOwnedHere && isOurs(found),
        },
      ];
    });
}
