const LEAST_KEPT = 1_000;

/**
 * The removals by inference in each key's plan. The mass guard counts them over the whole fleet. Only touched keys are
 * planned again.
 */
export class InferredRemovals {
  readonly #byKey = new Map<string, readonly string[]>();
  readonly #counts = new Map<string, number>();
  #touched = new Set<string>();
  /** Nothing was counted yet, or everything may have changed. */
  #isUnknown = true;
  #total = 0;
  /** The number of keys when all were planned. */
  #keys = 0;

  touch(key: string): void {
    if (this.#isUnknown) return;
    this.#touched.add(key);
    // Without calls of `update`, removed keys would accumulate.
    if (this.#touched.size > Math.max(LEAST_KEPT, 2 * this.#keys)) this.touchAll();
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

  /** After `update`. */
  get total(): number {
    return this.#total;
  }

  countOf(subject: string): number {
    return this.#counts.get(subject) ?? 0;
  }

  #put(key: string, subjects: readonly string[]): void {
    for (const subject of this.#byKey.get(key) ?? []) this.#count(subject, -1);
    if (subjects.length === 0) this.#byKey.delete(key);
    else this.#byKey.set(key, subjects);
    for (const subject of subjects) this.#count(subject, 1);
  }

  #count(subject: string, by: 1 | -1): void {
    const count = this.countOf(subject) + by;
    if (count === 0) this.#counts.delete(subject);
    else this.#counts.set(subject, count);
    this.#total += by;
  }
}
