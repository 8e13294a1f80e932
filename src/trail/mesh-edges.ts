import type { IntentionEntry, IntentionSource, ServiceName } from '../model/intention.js';
import { clientOfDescription, isOwned } from '../plan/ownership.js';
import { allowsAnything, deciding, opensEvery } from '../plan/precedence.js';
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

type EntryOf = (destination: ServiceName) => IntentionEntry | undefined;

/**
 * The edges from a source that let calls pass, foreign ones and wildcards included. Consul applies only the most exact
 * intention of each pair. A source is asked only for the destinations whose entry names it, because a mesh of 5,000 services
 * has 25 million pairs.
 */
export function meshEdges(mesh: Mesh): (source: ServiceName) => ReachEdge[] {
  const { owner, client, entries, services } = mesh;
  const entryOf: EntryOf = (destination) => entries.get(serviceText(destination));
  const named = [...entries.values()].map(({ destination }) => destination);
  const all = [
    ...new Map([...services, ...named].map((each) => [serviceText(each), each] as const)).values(),
  ];
  const placesBySource = new Map<string, number[]>();
  for (const [place, destination] of all.entries())
    for (const source of entryOf(destination)?.sources ?? []) {
      const places = placesBySource.get(serviceText(source)) ?? [];
      placesBySource.set(serviceText(source), places);
      places.push(place);
    }
  const wildcard = [...entries.values()].find(({ destination }) => destination.name === '*');
  return (source) => {
    if (opensEvery(source, wildcard)) return edgesTo(all, source, { owner, client, entryOf }, wildcard);
    const texts = [source, { ...source, name: '*' }].map(serviceText);
    const places = new Set(texts.flatMap((text) => placesBySource.get(text) ?? []));
    const destinations = [...places].toSorted((a, b) => a - b).flatMap((place) => all[place] ?? []);
    return edgesTo(destinations, source, { owner, client, entryOf }, wildcard);
  };
}

/** The same for some destinations. */
export function edgesTo(
  destinations: readonly ServiceName[],
  source: ServiceName,
  { owner, entryOf, client }: Pick<Mesh, 'owner' | 'client'> & { readonly entryOf: EntryOf },
  wildcard: IntentionEntry | undefined,
): ReachEdge[] {
  const isOurs = ({ description }: IntentionSource) => {
    const named = clientOfDescription(description);
    return client !== undefined && named !== undefined && clientText(named) === clientText(client);
  };
  return destinations.flatMap((destination): ReachEdge[] => {
    if (destination.name === source.name || destination.name === '*') return [];
    const found = deciding(source, entryOf(destination), wildcard);
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
