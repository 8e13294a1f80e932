import type { IntentionEntry, ServiceName } from '../model/intention.js';
import type { Mapping } from '../model/rule.js';
import { isOwnedNow } from '../plan/edge-record.js';
import { clientOfDescription, isOwnedHere } from '../plan/ownership.js';
import { type ClientId, clientText, serviceText } from '../plan/world.js';
import type { LastApplied } from './last-applied.js';

/**
 * The destinations of marked sources, by the client in their Description and by their service. Updated with each entry, so
 * that a client's job does not need to search every entry of the fleet. Counts are of the sources with a record alone.
 */
export class OwnedEdges {
  readonly #mapping: Pick<Mapping, 'owner' | 'select'>;
  readonly #byClient = new Map<string, Map<string, ServiceName>>();
  readonly #byService = new Map<string, Map<string, ServiceName>>();
  /** For every source, owned or foreign. */
  readonly #bySource = new Map<string, Map<string, ServiceName>>();
  readonly #destinations = new Map<string, ServiceName>();
  readonly #countByClient = new Map<string, number>();
  readonly #records: Records;
  /** What each destination counts for. */
  readonly #counted = new Map<string, Counted>();
  #count = 0;
  #unrecorded = 0;

  constructor(mapping: Pick<Mapping, 'owner' | 'select'>, records: Records) {
    this.#mapping = mapping;
    this.#records = records;
  }

  /** Owned edges that allow something. The mass guard compares removals with this number. */
  get count(): number {
    return this.#count;
  }

  /** Marked sources without a record of an existing edge. */
  get unrecorded(): number {
    return this.#unrecorded;
  }

  /** Counts an entry again after its records changed. */
  recount(entry: IntentionEntry): void {
    this.#countOff(entry.destination);
    this.#countOn(entry);
  }

  replace(before: IntentionEntry | undefined, after: IntentionEntry | undefined): void {
    if (before !== undefined) this.#change(before, -1);
    if (after !== undefined) this.#change(after, 1);
  }

  /** Every destination with a marked source, by its `serviceText`. */
  destinations(): ReadonlyMap<string, ServiceName> {
    return this.#destinations;
  }

  /** The number of owned edges that admit the client, by their Descriptions. */
  countOf(client: ClientId): number {
    return this.#countByClient.get(clientText(client)) ?? 0;
  }

  ofClient(client: ClientId): readonly ServiceName[] {
    return [...(this.#byClient.get(clientText(client))?.values() ?? [])];
  }

  ofService(service: ServiceName): readonly ServiceName[] {
    return [...(this.#byService.get(serviceText(service))?.values() ?? [])];
  }

  /** Destinations with a source of this service, also a foreign one, because an owned source may have lost its mark. */
  holding(service: ServiceName): readonly ServiceName[] {
    return [...(this.#bySource.get(serviceText(service))?.values() ?? [])];
  }

  #countOn(entry: IntentionEntry): void {
    const marked = entry.sources.filter((source) => isOwnedHere(this.#mapping, source));
    if (entry.destination.name === '*' || marked.length === 0) return;
    const records = this.#records.recordsOf(entry.destination);
    const owned = marked.filter((source) => isOwnedNow(entry.destination, source, records));
    const allowing = owned.filter(({ access }) => access.kind !== 'deny');
    const clients = allowing.flatMap(({ description }) => clientOfDescription(description) ?? []);
    const counted = {
      edges: allowing.length,
      unrecorded: marked.length - owned.length,
      clients: clients.map(clientText),
    };
    this.#counted.set(serviceText(entry.destination), counted);
    this.#add(counted, 1);
  }

  #countOff(destination: ServiceName): void {
    const counted = this.#counted.get(serviceText(destination));
    if (counted === undefined) return;
    this.#counted.delete(serviceText(destination));
    this.#add(counted, -1);
  }

  #add({ edges, unrecorded, clients }: Counted, by: 1 | -1): void {
    this.#count += by * edges;
    this.#unrecorded += by * unrecorded;
    for (const client of clients) {
      const count = (this.#countByClient.get(client) ?? 0) + by;
      if (count === 0) this.#countByClient.delete(client);
      else this.#countByClient.set(client, count);
    }
  }

  #change(entry: IntentionEntry, by: 1 | -1): void {
    // scopemesh never writes wildcard destinations.
    if (entry.destination.name === '*') return;
    if (by === 1) this.#countOn(entry);
    else this.#countOff(entry.destination);
    for (const source of entry.sources) {
      note(this.#bySource, serviceText(source), entry.destination, by);
      if (!isOwnedHere(this.#mapping, source)) continue;
      if (by === 1) this.#destinations.set(serviceText(entry.destination), entry.destination);
      else this.#destinations.delete(serviceText(entry.destination));
      const client = clientOfDescription(source.description);
      if (client !== undefined) note(this.#byClient, clientText(client), entry.destination, by);
      note(this.#byService, serviceText(source), entry.destination, by);
    }
  }
}

/** The records of each destination. */
export type Records = Pick<LastApplied, 'recordsOf'>;

interface Counted {
  readonly edges: number;
  readonly unrecorded: number;
  readonly clients: readonly string[];
}

/** A destination has only one entry, so no reference counts are needed. */
function note(
  index: Map<string, Map<string, ServiceName>>,
  key: string,
  destination: ServiceName,
  by: 1 | -1,
): void {
  const known = index.get(key) ?? new Map<string, ServiceName>();
  if (by === 1) known.set(serviceText(destination), destination);
  else known.delete(serviceText(destination));
  if (known.size === 0) index.delete(key);
  else index.set(key, known);
}
