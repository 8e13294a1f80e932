import { canonicalJson } from '../model/canonical-json.js';
import type { IntentionEntry, IntentionSource, ServiceName } from '../model/intention.js';
import type { Mapping } from '../model/rule.js';
import { digest } from '../plan/access.js';
import { endOfDescription, isOwned } from '../plan/ownership.js';
import { serviceText } from '../plan/world.js';
import { JwtProviderUse } from './jwt-provider-use.js';
import { OwnedEdges, type Records } from './owned-edges.js';
import { ReadOrder } from './read-order.js';

export interface MarkedEnd {
  readonly destination: ServiceName;
  /** In milliseconds since the epoch. */
  readonly ends: readonly number[];
}

/** The entries of the selection, as last read or written. */
export class EntryCache {
  readonly #entries = new Map<string, IntentionEntry>();
  readonly #readOrder = new ReadOrder();
  #owned: OwnedEdges;
  #mapping: Pick<Mapping, 'owner' | 'select'>;
  /** Entries outside the selection, from the last list. */
  #outside: readonly IntentionEntry[] = [];

  readonly #records: Records;
  readonly #jwtProviderUse: Pick<JwtProviderUse, 'putEntry' | 'putOutside'>;
  #isListed = false;
  #unshown = 0;

  constructor(
    mapping: Pick<Mapping, 'owner' | 'select'>,
    records: Records,
    jwtProviderUse: Pick<JwtProviderUse, 'putEntry' | 'putOutside'> = new JwtProviderUse(),
  ) {
    this.#mapping = mapping;
    this.#records = records;
    this.#jwtProviderUse = jwtProviderUse;
    this.#owned = new OwnedEdges(mapping, records);
  }

  /** By `serviceText` of the destination. */
  get all(): ReadonlyMap<string, IntentionEntry> {
    return this.#entries;
  }

  /** The destinations with ends of break-glass grants in their marks. */
  readonly ends = new Map<string, MarkedEnd>();

  /** Whether a complete list was applied. */
  get isListed(): boolean {
    return this.#isListed;
  }

  /** How many entries were written and not read since: their index is unknown. */
  get unshown(): number {
    return this.#unshown;
  }

  /** Also those outside the selection: what any entry names must not be removed. */
  *every(): Iterable<IntentionEntry> {
    yield* this.#entries.values();
    yield* this.#outside;
  }

  get owned(): OwnedEdges {
    return this.#owned;
  }

  setMapping(mapping: Pick<Mapping, 'owner' | 'select'>): void {
    this.#mapping = mapping;
    this.#owned = new OwnedEdges(mapping, this.#records);
    for (const entry of this.#entries.values()) this.#owned.replace(undefined, entry);
  }

  /** Applies a complete list; returns new and changed entries, and the destinations of removed ones. */
  replaceAll(
    entries: readonly IntentionEntry[],
    read: number,
  ): { readonly changed: readonly IntentionEntry[]; readonly gone: readonly ServiceName[] } {
    this.#isListed = true;
    const changed: IntentionEntry[] = [];
    const gone: ServiceName[] = [];
    if (!this.#readOrder.acceptsAll(read)) return { changed, gone };
    const listed = new Set<string>();
    const outside: IntentionEntry[] = [];
    for (const listedEntry of entries) {
      if (!this.#selects(listedEntry.destination)) {
        outside.push(listedEntry);
        continue;
      }
      const entry = inLowerCase(listedEntry);
      const key = serviceText(entry.destination);
      listed.add(key);
      const known = this.#entries.get(key);
      if (known?.modifyIndex === entry.modifyIndex || this.#readOrder.isNewer(key, read)) continue;
      if (this.#shows(key, entry)) continue;
      this.#set(key, entry);
      changed.push(entry);
    }
    this.#outside = outside;
    this.#jwtProviderUse.putOutside(outside);
    for (const [key, entry] of this.#entries) {
      if (listed.has(key) || this.#readOrder.isNewer(key, read)) continue;
      this.#set(key, undefined);
      gone.push(entry.destination);
    }
    return { changed, gone };
  }

  /** Applies a single read, or an own write, of one entry; false if nothing changed. */
  replace(destination: ServiceName, entry: IntentionEntry | undefined, read: number): boolean {
    const key = serviceText({ ...destination, name: destination.name.toLowerCase() });
    if (!this.#selects(destination) || !this.#readOrder.accepts(key, read)) return false;
    const known = this.#entries.get(key);
    if (known?.modifyIndex === entry?.modifyIndex && known?.modifyIndex !== 0) return false;
    const next = entry && inLowerCase(entry);
    if (next !== undefined && next.modifyIndex !== 0 && this.#shows(key, next)) return false;
    this.#set(key, next);
    return true;
  }

  /** The answer to an own write has no index, so this is the first read of its result, which is counted already. */
  #shows(key: string, entry: IntentionEntry): boolean {
    const known = this.#entries.get(key);
    if (known?.modifyIndex !== 0 || !isSameEntry(known, entry)) return false;
    this.#unshown--;
    this.#entries.set(key, entry);
    this.#jwtProviderUse.putEntry(key, entry);
    return true;
  }

  /** Call it after the records of this destination changed; returns its `serviceText`. */
  recount(destination: ServiceName): string {
    const key = serviceText(destination);
    const entry = this.#entries.get(key);
    if (entry !== undefined) this.#owned.recount(entry);
    return key;
  }

  recountAll(): void {
    for (const entry of this.#entries.values()) this.#owned.recount(entry);
  }

  /** A wildcard entry can apply to every destination of its place. */
  #selects(destination: ServiceName): boolean {
    const { select } = this.#mapping;
    if (select === undefined) return true;
    return destination.name === '*' ? select.hasPlace(destination) : select.hasService(destination);
  }

  #putEnd(key: string, entry: IntentionEntry | undefined): void {
    const ends = (entry?.sources ?? []).flatMap((source) =>
      isOwned(this.#mapping.owner, source) ? (endOfDescription(source.description) ?? []) : [],
    );
    if (entry === undefined || ends.length === 0) this.ends.delete(key);
    else this.ends.set(key, { destination: entry.destination, ends });
  }

  #set(key: string, read: IntentionEntry | undefined): void {
    const known = this.#entries.get(key);
    const entry = read?.unreadable === undefined ? read : withLastKnown(read, known);
    this.#unshown += Number(entry?.modifyIndex === 0) - Number(known?.modifyIndex === 0);
    this.#owned.replace(known, entry);
    this.#jwtProviderUse.putEntry(key, entry);
    this.#putEnd(key, entry);
    if (entry === undefined) this.#entries.delete(key);
    else this.#entries.set(key, entry);
  }
}

/** Whether the sources and the Meta are equal, in any order. */
function isSameEntry(a: IntentionEntry, b: IntentionEntry): boolean {
  const texts = new Set(b.sources.map(sourceText));
  return (
    a.sources.length === b.sources.length &&
    a.sources.every((each) => texts.has(sourceText(each))) &&
    canonicalJson(a.meta) === canonicalJson(b.meta)
  );
}

function sourceText({ peer, description, access, ...name }: IntentionSource): string {
  const content = access.kind === 'other' ? 'other' : digest(access);
  return JSON.stringify([serviceText(name), peer ?? null, description, content]);
}

/** What cannot be read keeps what it had. */
function withLastKnown(entry: IntentionEntry, known: IntentionEntry | undefined): IntentionEntry {
  if (known === undefined) return entry;
  const { sources, meta, raw } = known;
  return { ...entry, sources, meta, raw };
}

/** Names of config entries are case-insensitive in Consul: `Orders` is the entry of `orders`. */
function inLowerCase(entry: IntentionEntry): IntentionEntry {
  const name = entry.destination.name.toLowerCase();
  return name === entry.destination.name ? entry : { ...entry, destination: { ...entry.destination, name } };
}
