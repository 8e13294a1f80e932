import type { IntentionEntry, ServiceName } from '../model/intention.js';
import { clientOfDescription, isOwned } from '../plan/ownership.js';
import { type ClientId, clientText, serviceText } from '../plan/world.js';

/**
 * The destinations of owned sources, by the client in their Description and by their service. Updated with each entry, so
 * that a client's job does not need to search every entry of the fleet.
 */
export class OwnedEdges {
  readonly #owner: string;
  readonly #byClient = new Map<string, Map<string, ServiceName>>();
  readonly #byService = new Map<string, Map<string, ServiceName>>();
  /** For every source, owned or foreign. */
  readonly #bySource = new Map<string, Map<string, ServiceName>>();
  readonly #destinations = new Map<string, ServiceName>();
  readonly #countByClient = new Map<string, number>();
  #count = 0;

  constructor(owner: string) {
    this.#owner = owner;
  }

  /** Owned edges that allow something. The mass guard compares removals with this number. */
  get count(): number {
    return this.#count;
  }

  replace(before: IntentionEntry | undefined, after: IntentionEntry | undefined): void {
    if (before !== undefined) this.#change(before, -1);
    if (after !== undefined) this.#change(after, 1);
  }

  /** Every destination with an owned source, by its `serviceText`. */
  destinations(): ReadonlyMap<string, ServiceName> {
    return this.#destinations;
  }

  /** The number of edges that admit the client, by their Descriptions. */
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

  #countClient(client: ClientId, by: 1 | -1): void {
    const count = this.countOf(client) + by;
    if (count === 0) this.#countByClient.delete(clientText(client));
    else this.#countByClient.set(clientText(client), count);
  }

  #change(entry: IntentionEntry, by: 1 | -1): void {
    // scopemesh never writes wildcard destinations.
    if (entry.destination.name === '*') return;
    for (const source of entry.sources) {
      note(this.#bySource, serviceText(source), entry.destination, by);
      if (!isOwned(this.#owner, source)) continue;
      if (source.access.kind !== 'deny') this.#count += by;
      if (by === 1) this.#destinations.set(serviceText(entry.destination), entry.destination);
      else this.#destinations.delete(serviceText(entry.destination));
      const client = clientOfDescription(source.description);
      if (client !== undefined) {
        if (source.access.kind !== 'deny') this.#countClient(client, by);
        note(this.#byClient, clientText(client), entry.destination, by);
      }
      note(this.#byService, serviceText(source), entry.destination, by);
    }
  }
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
