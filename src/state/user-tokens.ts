import type { ExistingJwtProvider, JwtProviderEntry } from '../model/jwt-provider.js';
import { NO_USER_TOKEN_FACTS, type UserTokenFacts } from '../plan/destination-input.js';
import { ReadOrder } from './read-order.js';

/** The last read facts that a user's token needs: Consul's version, the providers' keys, the jwt-provider entries, the terminating gateways. */
export class UserTokens {
  #facts: UserTokenFacts = NO_USER_TOKEN_FACTS;
  readonly #waiting = new Set<string>();
  readonly #readOrder = new ReadOrder();
  /** Of every fact but the entries. */
  readonly #factOrder = new ReadOrder();
  #observed: UserTokenFacts = NO_USER_TOKEN_FACTS;
  readonly #onChange: () => void;
  /** Providers whose discovery document redirects, as their directories were last read. */
  readonly #redirecting = new Set<string>();

  /** Calls `onChange` whenever the facts change. */
  constructor(onChange: () => void = () => {}) {
    this.#onChange = onChange;
  }

  /** The same object until something changes. */
  get facts(): UserTokenFacts {
    return this.#facts;
  }

  /** The facts at the last call if they changed since; at the first call nothing was known before. */
  drainChanged(): UserTokenFacts | undefined {
    const before = this.#observed;
    this.#observed = this.#facts;
    return before === this.#facts ? undefined : before;
  }

  /** As the agent reports it. A text that is not a version is ignored. `read` must begin before it, here and below. */
  putVersion(version: string, laxAgents: readonly string[] | undefined, read: number): void {
    if (/^v?\d+\./.test(version) && this.#factOrder.accepts('version', read))
      this.#put({ consulVersion: version, laxAgents });
  }

  putJwksUri(provider: string, uri: string, read: number): void {
    if (!this.#factOrder.accepts(`keys of ${provider}`, read)) return;
    if (this.#facts.jwksUris.get(provider) === uri) return;
    this.#put({ jwksUris: new Map(this.#facts.jwksUris).set(provider, uri) });
  }

  redirects(provider: string): boolean {
    return this.#redirecting.has(provider);
  }

  /** False if that was known. */
  putRedirect(provider: string, redirects: boolean): boolean {
    if (this.redirects(provider) === redirects) return false;
    if (redirects) this.#redirecting.add(provider);
    else this.#redirecting.delete(provider);
    return true;
  }

  /** By lower-case name, `*` for every service; undefined if they could not be read. */
  putBehindGateways(behindGateways: ReadonlySet<string> | undefined, read: number): void {
    if (this.#factOrder.accepts('gateways', read)) this.#put({ behindGateways });
  }

  /** Applies a complete list; `read` must begin before it. Newer writes are kept. */
  putEntries(entries: readonly ExistingJwtProvider[], read: number): void {
    if (!this.#readOrder.acceptsAll(read)) return;
    const known = this.#facts.entries;
    const next = new Map(entries.map((each) => [each.name.toLowerCase(), each]));
    for (const key of new Set([...next.keys(), ...(known?.keys() ?? [])])) {
      if (!this.#readOrder.isNewer(key, read)) continue;
      const later = known?.get(key);
      if (later === undefined) next.delete(key);
      else next.set(key, later);
    }
    this.#put({ entries: next });
  }

  /** Applies an own write of one entry; `modifyIndex` 0: the current index is unknown. */
  putEntry(name: string, entry: JwtProviderEntry | undefined, modifyIndex: number, read: number): void {
    if (!this.#readOrder.accepts(name.toLowerCase(), read)) return;
    this.#put({ entries: this.#entriesWith(name, entry, modifyIndex) });
  }

  #entriesWith(name: string, entry: JwtProviderEntry | undefined, modifyIndex: number) {
    const entries = new Map(this.#facts.entries);
    if (entry === undefined) entries.delete(name.toLowerCase());
    else entries.set(name.toLowerCase(), { name, meta: entry.meta, content: entry, modifyIndex });
    return entries;
  }

  /** Calls `use` as if the desired entries existed; for a plan of the state after they are written. */
  assuming<T>(entries: readonly JwtProviderEntry[], use: () => T): T {
    const before = this.#facts;
    try {
      for (const entry of entries)
        this.#facts = { ...this.#facts, entries: this.#entriesWith(entry.name, entry, 0) };
      return use();
    } finally {
      this.#facts = before;
    }
  }

  /** Notes whether a key waits for a jwt-provider. True if it did not before. */
  beginsToWait(key: string, waits: boolean): boolean {
    const begins = waits && !this.#waiting.has(key);
    if (waits) this.#waiting.add(key);
    else this.#waiting.delete(key);
    return begins;
  }

  /** The keys that wait for a jwt-provider. */
  get waiting(): ReadonlySet<string> {
    return this.#waiting;
  }

  #put(changes: Partial<UserTokenFacts>): void {
    const next = { ...this.#facts, ...changes };
    if (textOf(next) === textOf(this.#facts)) return;
    this.#facts = next;
    this.#onChange();
  }
}

function textOf({ consulVersion, laxAgents, jwksUris, entries, behindGateways }: UserTokenFacts): string {
  return JSON.stringify([
    consulVersion,
    laxAgents ?? null,
    [...jwksUris],
    entries === undefined ? null : [...entries],
    behindGateways === undefined ? null : [...behindGateways].toSorted(),
  ]);
}
