import type { JwtProviderEntry, StandingJwtProvider } from '../model/jwt-provider.js';
import { NOTHING_KNOWN, type UserTokenFacts } from '../plan/user-tokens.js';

/** What this process last saw of what a user's token needs: Consul's version, the providers' keys, the entries. */
export class UserTokens {
  #facts: UserTokenFacts = NOTHING_KNOWN;
  /** By key, milliseconds since the epoch. */
  readonly #waiting = new Map<string, number>();

  /** The same object until something changes. */
  get facts(): UserTokenFacts {
    return this.#facts;
  }

  /** As the agent says it; a text that is no version says nothing, and what was known stands. */
  putVersion(version: string, laxAgents: readonly string[] | undefined): void {
    if (/^v?\d+\./.test(version)) this.#put({ consulVersion: version, laxAgents });
  }

  putJwksUri(provider: string, uri: string): void {
    if (this.#facts.jwksUris.get(provider) === uri) return;
    this.#put({ jwksUris: new Map(this.#facts.jwksUris).set(provider, uri) });
  }

  putEntries(entries: readonly StandingJwtProvider[]): void {
    this.#put({ entries: new Map(entries.map((each) => [each.name.toLowerCase(), each])) });
  }

  /** What our own write says of one entry; `modifyIndex` 0: what stands there now is not known. */
  putEntry(name: string, entry: JwtProviderEntry | undefined, modifyIndex: number): void {
    const entries = new Map(this.#facts.entries);
    if (entry === undefined) entries.delete(name.toLowerCase());
    else entries.set(name.toLowerCase(), { name, meta: entry.meta, content: entry, modifyIndex });
    this.#put({ entries });
  }

  /** Calls `use` as if the entries stood as they are wanted: for a plan of what writing them would bring. */
  assuming<T>(entries: readonly JwtProviderEntry[], use: () => T): T {
    const before = this.#facts;
    try {
      for (const entry of entries) this.putEntry(entry.name, entry, 0);
      return use();
    } finally {
      this.#facts = before;
    }
  }

  /** How long a key has waited for a jwt-provider without a break; 0 the first time. */
  waitedMs(key: string, waits: boolean, now: number): number {
    const since = this.#waiting.get(key) ?? now;
    if (waits) this.#waiting.set(key, since);
    else this.#waiting.delete(key);
    return now - since;
  }

  isWaiting(key: string): boolean {
    return this.#waiting.has(key);
  }

  #put(changes: Partial<UserTokenFacts>): void {
    const next = { ...this.#facts, ...changes };
    if (textOf(next) !== textOf(this.#facts)) this.#facts = next;
  }
}

function textOf({ consulVersion, laxAgents, jwksUris, entries }: UserTokenFacts): string {
  return JSON.stringify([
    consulVersion,
    laxAgents ?? null,
    [...jwksUris],
    entries === undefined ? null : [...entries],
  ]);
}
