/**
 * The newest read of each object of one collection, by the numbers of `beginRead`. An older read never overrides a newer
 * one. A read is the read of one object, a complete list, or the answer to an own write. The order is that of the numbers,
 * not of Consul's indexes, which go back after a snapshot is restored.
 */
export class ReadOrder {
  /** The newest complete read. It also covers every object that it does not show. */
  #complete = 0;
  /** Newer reads of single objects. */
  readonly #single = new Map<string, number>();

  /** Whether the read of one object is the newest, and if so records it. */
  accepts(key: string, read: number): boolean {
    if (read < this.#complete || this.isNewer(key, read)) return false;
    this.#single.set(key, read);
    return true;
  }

  /** The same for a complete read. Forgets older single reads, so that the numbers stay bounded. */
  acceptsAll(read: number): boolean {
    if (read < this.#complete) return false;
    this.#complete = read;
    for (const [key, number] of this.#single) if (number <= read) this.#single.delete(key);
    return true;
  }

  /** Whether a read of this object is newer than the complete read `read`. */
  isNewer(key: string, read: number): boolean {
    return (this.#single.get(key) ?? 0) > read;
  }

  /** The number of stored numbers. */
  get size(): number {
    return this.#single.size;
  }
}
