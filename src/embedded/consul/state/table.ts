/** Rows of one kind under string keys, listed in byte order of the key as a radix tree would. */
export class Table<Row> {
  readonly #rows = new Map<string, Row>();
  #sorted: string[] | undefined;

  get(key: string): Row | undefined {
    return this.#rows.get(key);
  }

  /** Rows whose key starts with `prefix`, in key order. */
  list(prefix = ''): Row[] {
    const found: Row[] = [];
    for (const key of this.#sortedKeys()) {
      if (prefix !== '' && !key.startsWith(prefix)) continue;
      const row = this.#rows.get(key);
      if (row !== undefined) found.push(row);
    }
    return found;
  }

  set(key: string, row: Row): void {
    if (!this.#rows.has(key)) this.#sorted = undefined;
    this.#rows.set(key, row);
  }

  remove(key: string): void {
    if (this.#rows.delete(key)) this.#sorted = undefined;
  }

  entries(): IterableIterator<[string, Row]> {
    return this.#rows.entries();
  }

  #sortedKeys(): string[] {
    this.#sorted ??= [...this.#rows.keys()].sort(compareBytes);
    return this.#sorted;
  }
}

/** Code-point order, which equals UTF-8 byte order but for surrogates. */
function compareBytes(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
