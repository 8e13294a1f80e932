/** The last writes of each key's subjects, by the texts of `formatKey`. */
export class LastApplied {
  readonly #byKey = new Map<string, ReadonlyMap<string, string>>();

  of(key: string): ReadonlyMap<string, string> {
    return this.#byKey.get(key) ?? NOTHING;
  }

  /** False if nothing changed. */
  put(key: string, lastApplied: ReadonlyMap<string, string>): boolean {
    if (this.#byKey.get(key) === lastApplied) return false;
    if (lastApplied.size === 0) return this.#byKey.delete(key);
    this.#byKey.set(key, lastApplied);
    return true;
  }
}

const NOTHING: ReadonlyMap<string, string> = new Map();
