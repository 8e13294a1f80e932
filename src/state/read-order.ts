/**
 * Which read last spoke about each object of one collection, by the numbers of `beginRead`. An older read never
 * overrides a newer one, whether it is the read of one object, a complete list, or the answer to a write of our own.
 * Numbers tell the order, not Consul's indexes: a restored snapshot brings back lower ones.
 */
export class ReadOrder {
  /** The newest complete read. It also speaks about every object that it does not show. */
  #complete = 0;
  /** Reads of single objects that are newer than that. */
  readonly #single = new Map<string, number>();

  /** Whether the read of one object is news; it then counts as the last one. */
  accepts(key: string, read: number): boolean {
    if (read < this.#complete || this.isNewer(key, read)) return false;
    this.#single.set(key, read);
    return true;
  }

  /** The same for a complete read. It forgets the single reads that are older, so that numbers do not pile up. */
  acceptsAll(read: number): boolean {
    if (read < this.#complete) return false;
    this.#complete = read;
    for (const [key, number] of this.#single) if (number <= read) this.#single.delete(key);
    return true;
  }

  /** Whether a read of this one object is newer than `read`: what a complete read says about it is old. */
  isNewer(key: string, read: number): boolean {
    return (this.#single.get(key) ?? 0) > read;
  }

  /** How many numbers are kept. */
  get size(): number {
    return this.#single.size;
  }
}
