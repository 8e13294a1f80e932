import type { Trigger } from '../model/trigger.js';
import type { AgendaEntry } from './agenda-entry.js';
import { type Group, groupOf, LANES, type Lane, type Places } from './agenda-places.js';
import { type IsKnown, Turns } from './turns.js';

/**
 * The entries that wait for a place. Within a lane the writes, or the reads of a provider, with the oldest entry go first, and
 * the others wait for them: a loss of many clients is known as a whole before the first destination closes. Only reads of
 * another provider go before them: a provider that does not answer keeps no other one waiting. Which of these writes or
 * reads is the next is by turns.
 */
export class ReadyEntries {
  readonly #isKnown: IsKnown;
  readonly #lanes: Readonly<Record<Lane, Map<Group, Turns>>> = {
    ordered: new Map(),
    losing: new Map(),
    urgent: new Map(),
    ordinary: new Map(),
  };
  /** When each was put here, as a count. */
  readonly #since = new Map<AgendaEntry, number>();
  #count = 0;

  constructor(isKnown: IsKnown) {
    this.#isKnown = isKnown;
  }

  get size(): number {
    return this.#since.size;
  }

  /**
   * A destination that waits already goes behind what waits of the other kind. A client keeps its place there: otherwise
   * repeated events about it could delay it for as long as others wait.
   */
  put(entry: AgendaEntry): void {
    const lane = this.#lanes[laneOf(entry)];
    const group = groupOf(entry.key);
    const turns = lane.get(group) ?? new Turns(this.#isKnown);
    const waits = turns.has(entry);
    if (waits && group !== 'writes') return;
    if (!waits) this.#remove(entry);
    this.#since.set(entry, ++this.#count);
    turns.put(entry);
    lane.set(group, turns);
  }

  /** Takes out the next one that may run now, with a place. `leave` gives the place back. */
  take(places: Places): { readonly entry: AgendaEntry; readonly leave: () => void } | undefined {
    for (const lane of LANES) {
      const [oldest, all] = this.#oldest(lane) ?? [];
      if (oldest === undefined) continue;
      const hasRoom = places.hasRoom(oldest.key, lane);
      const turns = hasRoom ? all : this.#oldest(lane, ({ key }) => places.hasOwnRoom(key, lane))?.[1];
      const entry = turns?.take();
      if (entry === undefined) continue;
      this.#since.delete(entry);
      return { entry, leave: places.enter(entry.key, !hasRoom, lane) };
    }
    return undefined;
  }

  /** Of the oldest entries of each group. */
  #oldest(
    lane: Lane,
    is: (entry: AgendaEntry) => boolean = () => true,
  ): readonly [AgendaEntry, Turns] | undefined {
    let found: readonly [AgendaEntry, Turns] | undefined;
    for (const turns of this.#lanes[lane].values()) {
      const { oldest } = turns;
      if (oldest !== undefined && is(oldest) && (found === undefined || this.#isOlder(oldest, found[0])))
        found = [oldest, turns];
    }
    return found;
  }

  #isOlder(a: AgendaEntry, b: AgendaEntry): boolean {
    return (this.#since.get(a) ?? 0) < (this.#since.get(b) ?? 0);
  }

  #remove(entry: AgendaEntry): void {
    if (!this.#since.delete(entry)) return;
    for (const lane of LANES) this.#lanes[lane].get(groupOf(entry.key))?.delete(entry);
  }
}

function laneOf({ key, triggers, isUrgent }: AgendaEntry): Lane {
  const has = (is: (trigger: Trigger) => boolean) => triggers.some(is);
  if (key.kind !== 'destination') {
    if (has(({ order }) => order !== undefined)) return 'ordered';
  } else if (isUrgent && has(({ loses, evidence = [] }) => loses === true || evidence.length > 0))
    return 'losing';
  return isUrgent ? 'urgent' : 'ordinary';
}
