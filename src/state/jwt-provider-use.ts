import type { IntentionEntry, ServiceName } from '../model/intention.js';
import { providersNamedBy } from '../plan/plan-jwt-providers.js';
import { SourcesByDestination } from './sources-by-destination.js';

/**
 * Where jwt-providers are used: the destinations at which a client of an identity provider opens something that requires a
 * user's token, and the jwt-providers that entries name. Updated with each source and each entry, so that the job of one
 * jwt-provider does not need to plan the whole fleet.
 */
export class JwtProviderUse {
  /** By identity provider. */
  readonly #openings = new Map<string, SourcesByDestination>();
  /** By `serviceText`: the names in an entry, in lower case. Entries without one are absent. */
  readonly #namesIn = new Map<string, readonly string[]>();
  /** How many entries name a jwt-provider, by its name in lower case. */
  readonly #entries = new Map<string, number>();
  #outside: ReadonlySet<string> = new Set();

  /** The destinations whose plans may await or name the jwt-provider of this identity provider. */
  destinationsOf(provider: string): readonly ServiceName[] {
    return [...(this.#openings.get(provider)?.all.values() ?? [])].map(({ destination }) => destination);
  }

  /** Those of every provider, by `serviceText`. */
  *destinations(): Iterable<string> {
    for (const { all } of this.#openings.values()) yield* all.keys();
  }

  /** Whether an entry names this jwt-provider, owned or foreign, in the selection or outside. */
  readonly isNamed = (name: string): boolean => {
    const key = name.toLowerCase();
    return this.#entries.has(key) || this.#outside.has(key);
  };

  /** `names`: where the service's client, of this provider, opens something that requires a user's token. */
  putSource(serviceName: ServiceName, provider: string | undefined, names: ReadonlySet<string>): void {
    for (const [each, openings] of this.#openings) if (each !== provider) openings.put(serviceName, []);
    if (provider === undefined) return;
    const known = this.#openings.get(provider);
    const openings = known ?? new SourcesByDestination();
    if (known === undefined && names.size > 0) this.#openings.set(provider, openings);
    openings.put(serviceName, names);
  }

  /** `key`: the `serviceText` of the entry's destination. */
  putEntry(key: string, entry: IntentionEntry | undefined): void {
    const names = entry === undefined ? [] : namesIn(entry);
    for (const name of this.#namesIn.get(key) ?? []) this.#count(name, -1);
    for (const name of names) this.#count(name, 1);
    if (names.length === 0) this.#namesIn.delete(key);
    else this.#namesIn.set(key, names);
  }

  /** The entries outside the selection, as a complete list. */
  putOutside(entries: readonly IntentionEntry[]): void {
    this.#outside = new Set(entries.flatMap(namesIn));
  }

  #count(name: string, by: 1 | -1): void {
    const entries = (this.#entries.get(name) ?? 0) + by;
    if (entries === 0) this.#entries.delete(name);
    else this.#entries.set(name, entries);
  }
}

/** Consul ignores the case of names. */
function namesIn(entry: IntentionEntry): readonly string[] {
  return [...new Set(providersNamedBy(entry).map((name) => name.toLowerCase()))];
}
