const MIN_KEPT = 1_000;

/**
 * The inferred removals in each key's plan. The mass guard counts them over the whole fleet. Only touched keys are
 * planned again.
 */
export class InferredRemovals {
  readonly #byKey = new Map<string, readonly string[]>();
  readonly #keyOf = new Map<string, string>();
  /** How many keys have how many removals. */
  readonly #lengths = new Map<number, number>();
  #touched = new Set<string>();
  /** Nothing was counted yet, or everything may have changed. */
  #isUnknown = true;
  /** The number of keys when all were planned. */
  #keys = 0;

  touch(key: string): void {
    if (this.#isUnknown) return;
    this.#touched.add(key);
    // Without calls of `update`, removed keys would accumulate.
    if (this.#touched.size > Math.max(MIN_KEPT, 2 * this.#keys)) this.touchAll();
  }

  touchAll(): void {
    this.#isUnknown = true;
    this.#touched.clear();
  }

  /**
   * Plans at most `limit` touched keys; false if more are left. `keys` returns all keys; `plan` returns the subjects that a
   * key would lose.
   */
  update(
    keys: () => Iterable<string>,
    plan: (key: string) => readonly string[],
    limit = Number.POSITIVE_INFINITY,
  ): boolean {
    if (this.#isUnknown) {
      this.#touched = new Set([...keys(), ...this.#byKey.keys()]);
      this.#keys = this.#touched.size;
      this.#isUnknown = false;
    }
    let left = limit;
    for (const key of this.#touched) {
      if (left-- <= 0) return false;
      this.#touched.delete(key);
      this.#put(key, plan(key));
    }
    return true;
  }

  /** After `update`. Each key counts at most `most`. */
  total(most: number): number {
    let total = 0;
    for (const [length, keys] of this.#lengths) total += Math.min(length, most) * keys;
    return total;
  }

  /** After `update`. */
  countOf(key: string): number {
    return this.#byKey.get(key)?.length ?? 0;
  }

  /** The key that would lose the subject, and how many removals it has. */
  lossOf(subject: string): { readonly key: string; readonly removals: number } | undefined {
    const key = this.#keyOf.get(subject);
    return key === undefined ? undefined : { key, removals: this.#byKey.get(key)?.length ?? 0 };
  }

  #put(key: string, subjects: readonly string[]): void {
    const before = this.#byKey.get(key) ?? [];
    for (const subject of before) this.#keyOf.delete(subject);
    if (subjects.length === 0) this.#byKey.delete(key);
    else this.#byKey.set(key, subjects);
    for (const subject of subjects) this.#keyOf.set(subject, key);
    this.#countLength(before.length, -1);
    this.#countLength(subjects.length, 1);
  }

  #countLength(length: number, by: 1 | -1): void {
    if (length === 0) return;
    const keys = (this.#lengths.get(length) ?? 0) + by;
    if (keys === 0) this.#lengths.delete(length);
    else this.#lengths.set(length, keys);
  }
}
