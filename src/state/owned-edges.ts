import type { IntentionEntry, ServiceName } from '../model/intention.js';
import type { Mapping } from '../model/rule.js';
import { isOwnedNow } from '../plan/edge-record.js';
import { clientOfDescription, isOwnedHere } from '../plan/ownership.js';
import { type ClientId, clientText, serviceText } from '../plan/world.js';
import type { LastAppliedCache } from './last-applied-cache.js';

/**
 * The destinations of marked sources, by the client in their Description and by their service. Updated with each entry, so
 * that a client's job does not need to search every entry of the fleet. Counts are of the sources with a record alone.
 */
export class OwnedEdges {
  readonly #mapping: Pick<Mapping, 'owner' | 'select'>;
  readonly #byClient: Index = new Map();
  readonly #byService: Index = new Map();
  /** For every source, owned or foreign. */
  readonly #bySource: Index = new Map();
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
    const text = serviceText(entry.destination);
    this.#countOff(text);
    this.#countOn(entry, text);
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

  ofService(serviceName: ServiceName): readonly ServiceName[] {
    return [...(this.#byService.get(serviceText(serviceName))?.values() ?? [])];
  }

  /** Destinations with a source of this service, also a foreign one, because an owned source may have lost its mark. */
  holding(serviceName: ServiceName): readonly ServiceName[] {
    return [...(this.#bySource.get(serviceText(serviceName))?.values() ?? [])];
  }

  #countOn({ destination, sources }: IntentionEntry, text: string): void {
    if (destination.name === '*') return;
    const records = this.#records.recordsOf(destination);
    const clients: string[] = [];
    let [edges, unrecorded] = [0, 0];
    for (const source of sources) {
      if (!isOwnedHere(this.#mapping, source)) continue;
      if (!isOwnedNow(destination, source, records)) unrecorded++;
      else if (source.access.kind !== 'deny') {
        edges++;
        const client = clientOfDescription(source.description);
        if (client !== undefined) clients.push(clientText(client));
      }
    }
    if (edges + unrecorded === 0) return;
    const counted = { edges, unrecorded, clients };
    this.#counted.set(text, counted);
    this.#add(counted, 1);
  }

  #countOff(text: string): void {
    const counted = this.#counted.get(text);
    if (counted === undefined) return;
    this.#counted.delete(text);
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
    const { destination, sources } = entry;
    // scopemesh never writes wildcard destinations.
    if (destination.name === '*') return;
    const text = serviceText(destination);
    if (by === 1) this.#countOn(entry, text);
    else this.#countOff(text);
    const noteIn = (index: Index, key: string) => note(index, key, text, by === 1 ? destination : undefined);
    for (const source of sources) {
      const serviceName = serviceText(source);
      noteIn(this.#bySource, serviceName);
      if (!isOwnedHere(this.#mapping, source)) continue;
      if (by === 1) this.#destinations.set(text, destination);
      else this.#destinations.delete(text);
      const client = clientOfDescription(source.description);
      if (client !== undefined) noteIn(this.#byClient, clientText(client));
      noteIn(this.#byService, serviceName);
    }
  }
}

/** The records of each destination. */
export type Records = Pick<LastAppliedCache, 'recordsOf'>;

interface Counted {
  readonly edges: number;
  readonly unrecorded: number;
  readonly clients: readonly string[];
}

/** The destinations of each key, by their `serviceText`. */
type Index = Map<string, Map<string, ServiceName>>;

/** Undefined takes the destination out. It has only one entry, so no reference counts are needed. */
function note(index: Index, key: string, text: string, destination: ServiceName | undefined): void {
  const known = index.get(key);
  if (destination === undefined) {
    known?.delete(text);
    if (known?.size === 0) index.delete(key);
  } else if (known === undefined) index.set(key, new Map([[text, destination]]));
  else known.set(text, destination);
}
