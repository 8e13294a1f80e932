import type { ServiceName } from '../model/intention.js';
import type { ClaimStatus } from '../plan/claim-status.js';
import { type ClientId, clientText, serviceText } from '../plan/world.js';
import { losesClaim } from './claim-statuses.js';

/** The claim status of one service before and after an update; undefined if nothing is known about the service. */
export interface ClaimStatusChange {
  readonly service: ServiceName;
  readonly before: ClaimStatus | undefined;
  readonly after: ClaimStatus | undefined;
  /** Clients that name the service at their identity providers: they may log in as it while no instance is registered. */
  readonly namedBy: readonly ClientId[];
}

/** What an update of the state touches: everything whose plan may differ from before. */
export interface Touched {
  /** Clients whose claims or access changed. */
  readonly clients: readonly ClientId[];
  /** By `clientText`: those of them that may do less than before. */
  readonly losing: ReadonlySet<string>;
  /** By `serviceText`. `losing`: some service may do less there than before. */
  readonly destinations: ReadonlyMap<string, TouchedDestination>;
  readonly claimStatuses: readonly ClaimStatusChange[];
}

interface TouchedDestination {
  readonly destination: ServiceName;
  readonly losing: boolean;
}

export const NOTHING_TOUCHED: Touched = {
  clients: [],
  losing: new Set(),
  destinations: new Map(),
  claimStatuses: [],
};

/** Collects what one update touches. */
export class Touches {
  readonly #clients = new Map<string, ClientId>();
  readonly #losing = new Set<string>();
  readonly #destinations = new Map<string, TouchedDestination>();
  readonly #claimStatuses: ClaimStatusChange[] = [];

  client({ provider, clientId }: ClientId, losing = false): void {
    const key = clientText({ provider, clientId });
    this.#clients.set(key, { provider, clientId });
    if (losing) this.#losing.add(key);
  }

  destination(destination: ServiceName, losing = false): this {
    const key = serviceText(destination);
    if (losing || !this.#destinations.has(key)) this.#destinations.set(key, { destination, losing });
    return this;
  }

  destinations(destinations: Iterable<ServiceName>, losing = false): void {
    for (const each of destinations) this.destination(each, losing);
  }

  /** With the clients whose claims or first logins it changes. */
  claimStatus(change: ClaimStatusChange): void {
    const { before, after, namedBy } = change;
    this.#claimStatuses.push(change);
    if (before !== undefined && before.kind !== 'none') this.client(before.client, losesClaim(before, after));
    if (after !== undefined && after.kind !== 'none') this.client(after.client);
    for (const each of namedBy) this.client(each);
  }

  merge({ clients, losing, destinations, claimStatuses }: Touched): void {
    for (const each of clients) this.client(each, losing.has(clientText(each)));
    for (const each of destinations.values()) this.destination(each.destination, each.losing);
    this.#claimStatuses.push(...claimStatuses);
  }

  done(): Touched {
    if (this.#clients.size + this.#destinations.size + this.#claimStatuses.length === 0)
      return NOTHING_TOUCHED;
    return {
      clients: [...this.#clients.values()],
      losing: this.#losing,
      destinations: this.#destinations,
      claimStatuses: this.#claimStatuses,
    };
  }
}
