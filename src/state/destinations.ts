import type { ServiceName } from '../model/intention.js';
import { destinationNames, userDestinationNames } from '../plan/destination-sources.js';
import { type ClientId, serviceText } from '../plan/world.js';
import type { ClaimStatuses } from './claim-statuses.js';
import type { EntryCache } from './entry-cache.js';
import type { JwtProviderUse } from './jwt-provider-use.js';
import type { Openings } from './openings.js';
import { SourcesByDestination } from './sources-by-destination.js';

/** Edges that people decided about: the destinations of a source. */
interface DecidedEdges {
  destinationsOf(source: ServiceName): readonly ServiceName[];
}

/** The destinations of clients and services, by desired access and by owned sources. */
export class Destinations {
  readonly sources = new SourcesByDestination();
  readonly #statuses: ClaimStatuses;
  readonly #openings: Openings;
  readonly #entries: Pick<EntryCache, 'owned'>;
  readonly #decided: readonly DecidedEdges[];
  readonly #jwtProviderUse: Pick<JwtProviderUse, 'putSource'>;

  constructor(
    claimStatuses: ClaimStatuses,
    openings: Openings,
    entries: Pick<EntryCache, 'owned'>,
    decided: readonly DecidedEdges[],
    jwtProviderUse: Pick<JwtProviderUse, 'putSource'>,
  ) {
    this.#statuses = claimStatuses;
    this.#openings = openings;
    this.#entries = entries;
    this.#decided = decided;
    this.#jwtProviderUse = jwtProviderUse;
  }

  /** Every destination that an opening, a break-glass grant or a deny reaches or that has an owned source. */
  *all(): Iterable<ServiceName> {
    const owned = this.#entries.owned.destinations();
    yield* owned.values();
    for (const [key, { destination }] of this.sources.all) if (!owned.has(key)) yield destination;
  }

  /** Destinations that a client's services may reach or where they have an owned source. */
  of(id: ClientId): readonly ServiceName[] {
    const found = new Map<string, ServiceName>();
    const add = (name: ServiceName) => found.set(serviceText(name), name);
    const opened = this.#openings.of(id);
    const names = opened === undefined ? [] : destinationNames(opened);
    for (const each of this.#entries.owned.ofClient(id)) add(each);
    for (const { service } of this.#statuses.on(id).values()) {
      for (const name of names) add({ ...service, name });
      for (const each of this.#entries.owned.ofService(service)) add(each);
      for (const each of this.#decidedFor(service)) add(each);
    }
    return [...found.values()];
  }

  /** Updates the destinations of a service after its claim status or the openings of its client changed. */
  updateSource(key: string, serviceName: ServiceName): void {
    const claimStatus = this.#statuses.all.get(key);
    const isSource =
      claimStatus !== undefined && claimStatus.kind !== 'none' && claimStatus.kind !== 'refused';
    const opened = isSource ? this.#openings.of(claimStatus.client) : undefined;
    const names = opened === undefined ? [] : destinationNames(opened);
    const decided = this.#decidedFor(serviceName).map(({ name }) => name);
    this.sources.put(serviceName, new Set([...names, ...decided]));
    const withUser = opened === undefined ? NO_NAMES : userDestinationNames(opened);
    this.#jwtProviderUse.putSource(serviceName, isSource ? claimStatus.client.provider : undefined, withUser);
  }

  #decidedFor(source: ServiceName): readonly ServiceName[] {
    return this.#decided.flatMap((each) => each.destinationsOf(source));
  }
}

const NO_NAMES: ReadonlySet<string> = new Set();
