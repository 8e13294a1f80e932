import type { ServiceName } from '../model/intention.js';
import type { DestinationSources } from '../plan/destination-sources.js';
import { serviceText } from '../plan/world.js';

/** The sources of each destination, updated with each service. */
export class SourcesByDestination {
  readonly #sources = new Map<string, { destination: ServiceName; services: Map<string, ServiceName> }>();
  /** The destinations of each source, both by `serviceText`. */
  readonly #destinations = new Map<string, ReadonlyMap<string, ServiceName>>();

  /** By `serviceText` of the destination. */
  get all(): ReadonlyMap<string, DestinationSources> {
    return this.#sources;
  }

  destinationsOf(serviceName: ServiceName): ReadonlyMap<string, ServiceName> {
    return this.#destinations.get(serviceText(serviceName)) ?? NOTHING;
  }

  /** `names`: the current destinations of the service, in its own partition and namespace. */
  put(serviceName: ServiceName, names: Iterable<string>): void {
    const key = serviceText(serviceName);
    const destinations = new Map<string, ServiceName>();
    for (const name of names) {
      const destination = { ...serviceName, name };
      destinations.set(serviceText(destination), destination);
    }
    const before = this.destinationsOf(serviceName);
    for (const at of before.keys()) if (!destinations.has(at)) this.#remove(at, key);
    for (const [at, destination] of destinations)
      if (!before.has(at)) this.#add(at, destination, key, serviceName);
    if (destinations.size === 0) this.#destinations.delete(key);
    else this.#destinations.set(key, destinations);
  }

  #add(at: string, destination: ServiceName, key: string, serviceName: ServiceName): void {
    const known = this.#sources.get(at);
    if (known === undefined) this.#sources.set(at, { destination, services: new Map([[key, serviceName]]) });
    else known.services.set(key, serviceName);
  }

  #remove(at: string, key: string): void {
    const known = this.#sources.get(at);
    known?.services.delete(key);
    if (known?.services.size === 0) this.#sources.delete(at);
  }
}

const NOTHING: ReadonlyMap<string, ServiceName> = new Map();
