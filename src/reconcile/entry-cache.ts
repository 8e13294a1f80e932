import type { IntentionEntry, ServiceName } from '../model/intention.js';
import { serviceText } from '../plan/world.js';
import { OwnedEdges } from './owned-edges.js';

/**
 * The entries as they were last read or written. Which of two reads is the later one is told by their numbers: indexes
 * do not tell, for a restored snapshot brings back lower ones.
 */
export class EntryCache {
  readonly #entries = new Map<string, IntentionEntry>();
  /** The number of the read or write that last said something of an entry. */
  readonly #reads = new Map<string, number>();
  #owned: OwnedEdges;

  constructor(owner: string) {
    this.#owned = new OwnedEdges(owner);
  }

  /** By `serviceText` of the destination. */
  get all(): ReadonlyMap<string, IntentionEntry> {
    return this.#entries;
  }

  get owned(): OwnedEdges {
    return this.#owned;
  }

  setOwner(owner: string): void {
    this.#owned = new OwnedEdges(owner);
    for (const entry of this.#entries.values()) this.#owned.replace(undefined, entry);
  }

  /** Takes in a complete list; returns what came or changed, and the destinations of what went. */
  replaceAll(
    entries: readonly IntentionEntry[],
    read: number,
  ): { readonly changed: readonly IntentionEntry[]; readonly gone: readonly ServiceName[] } {
    const changed: IntentionEntry[] = [];
    const gone: ServiceName[] = [];
    const listed = new Set<string>();
    for (const listedEntry of entries) {
      const entry = inLowerCase(listedEntry);
      const key = serviceText(entry.destination);
      listed.add(key);
      const known = this.#entries.get(key);
      if (known?.modifyIndex === entry.modifyIndex || this.#isOlder(key, read)) continue;
      this.#set(key, entry, read);
      changed.push(entry);
    }
    for (const [key, entry] of this.#entries) {
      if (listed.has(key) || this.#isOlder(key, read)) continue;
      this.#set(key, undefined, read);
      this.#reads.delete(key);
      gone.push(entry.destination);
    }
    return { changed, gone };
  }

  /** What a single read, or our own write, says of one entry; false if that is nothing new. */
  replace(destination: ServiceName, entry: IntentionEntry | undefined, read: number): boolean {
    const key = serviceText({ ...destination, name: destination.name.toLowerCase() });
    if (this.#isOlder(key, read)) return false;
    this.#reads.set(key, read);
    if (this.#entries.get(key)?.modifyIndex === entry?.modifyIndex) return false;
    this.#set(key, entry === undefined ? undefined : inLowerCase(entry), read);
    return true;
  }

  #set(key: string, entry: IntentionEntry | undefined, read: number): void {
    this.#owned.replace(this.#entries.get(key), entry);
    this.#reads.set(key, read);
    if (entry === undefined) this.#entries.delete(key);
    else this.#entries.set(key, entry);
  }

  #isOlder(key: string, read: number): boolean {
    return (this.#reads.get(key) ?? 0) > read;
  }
}

/** Names of config entries meet in Consul without regard to case: `Orders` is the one entry of `orders`. */
function inLowerCase(entry: IntentionEntry): IntentionEntry {
  const name = entry.destination.name.toLowerCase();
  return name === entry.destination.name ? entry : { ...entry, destination: { ...entry.destination, name } };
}
