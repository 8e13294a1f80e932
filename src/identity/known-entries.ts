import { incomplete } from './read-errors.js';

/** If the identity provider confirms that these do not exist, the rest is believed. */
const MAX_ASKED = 5;

/**
 * Throws IncompleteRead if one of the missing entries of a list exists. `isThere` asks the identity provider for one entry
 * alone. It asks for at most five, spread over all that are missing. `place` names the list.
 */
export async function confirmMissing<T>(
  missing: readonly T[],
  isThere: (entry: T) => Promise<boolean>,
  place: string,
): Promise<void> {
  for (const entry of sampleOf(missing))
    if (await isThere(entry)) throw incomplete(place, 'an existing entry is missing from the list');
}

/** At most so many entries, spread over all. */
export function sampleOf<T>(entries: readonly T[], most = MAX_ASKED): readonly T[] {
  const step = Math.ceil(entries.length / most);
  return entries.filter((_, at) => at % step === 0);
}

/**
 * The IDs that the last read of each list found. An identity provider can answer a list with status 200 that lacks what
 * still exists. So if a list lacks known entries, however few, the provider is asked for some of them alone.
 */
export class KnownEntries {
  readonly #byList = new Map<string, ReadonlySet<string>>();

  /** As `confirmMissing` for the known entries. It remembers the list unless it throws. */
  async require(
    list: string,
    ids: readonly string[],
    isThere: (id: string) => Promise<boolean>,
    place: string,
  ): Promise<void> {
    const known = this.#byList.get(list) ?? new Set();
    const listed = new Set(ids);
    const missing = [...known].filter((id) => !listed.has(id));
    await confirmMissing(missing, isThere, place);
    this.#byList.set(list, listed);
  }
}
