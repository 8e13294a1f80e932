import { incomplete } from './read-errors.js';

/** If most of a list is missing and the IdP confirms that these do not exist, the rest is believed. */
const MAX_ASKED = 5;

/**
 * The IDs that the last read of each list found. An identity provider can answer a list with status 200 that lacks what
 * still exists. So if a list lacks more than half of the known entries, the provider is asked for some of them alone.
 */
export class KnownEntries {
  readonly #byList = new Map<string, ReadonlySet<string>>();

  /**
   * Throws IncompleteRead if an entry exists that the list lacks. Otherwise it remembers the list. `isThere` asks for one
   * entry; `place` names the list.
   */
  async require(
    list: string,
    ids: readonly string[],
    isThere: (id: string) => Promise<boolean>,
    place: string,
  ): Promise<void> {
    const known = this.#byList.get(list) ?? new Set();
    const listed = new Set(ids);
    const missing = [...known].filter((id) => !listed.has(id));
    if (missing.length * 2 > known.size)
      for (const id of missing.slice(0, MAX_ASKED))
        if (await isThere(id)) throw incomplete(place, 'an existing entry is missing from the list');
    this.#byList.set(list, listed);
  }
}
