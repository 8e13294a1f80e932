import type { Trigger } from '../model/trigger.js';
import type { AgendaEntry } from './agenda-entry.js';
import { type Group, groupOf, LANES, type Lane, type Places } from './agenda-places.js';

/**
 * The entries that wait for a place. Within a lane the oldest goes first, whatever its kind, and the others wait for it:
 * a loss of many clients is known as a whole before the first destination closes. Only reads of another provider go
 * before it: a provider that does not answer keeps no other one waiting.
 */
export class ReadyEntries {
  readonly #lanes: Readonly<Record<Lane, Map<Group, Set<AgendaEntry>>>> = {
    ordered: new Map(),
    losing: new Map(),
    urgent: new Map(),
    ordinary: new Map(),
  };
  /** When each was put here, as a count. */
  readonly #since = new Map<AgendaEntry, number>();
  #count = 0;

  get size(): number {
    return this.#since.size;
  }

  /**
   * A destination that waits already goes behind the others of its lane. A client keeps its place there: otherwise
   * repeated events about it could delay it for as long as others wait.
   */
  put(entry: AgendaEntry): void {
    const lane = this.#lanes[laneOf(entry)];
    const group = groupOf(entry.key);
    if (group !== 'writes' && lane.get(group)?.has(entry)) return;
    this.#remove(entry);
    this.#since.set(entry, ++this.#count);
    lane.set(group, (lane.get(group) ?? new Set()).add(entry));
  }

  /** Takes out the next one that may run now, with a place. `leave` gives the place back. */
  take(places: Places): { readonly entry: AgendaEntry; readonly leave: () => void } | undefined {
    for (const lane of LANES) {
      const oldest = this.#oldest(lane);
      if (oldest === undefined) continue;
      const hasRoom = places.hasRoom(oldest.key, lane);
      const entry = hasRoom ? oldest : this.#oldest(lane, ({ key }) => places.hasOwnRoom(key));
      if (entry === undefined) continue;
      this.#remove(entry);
      return { entry, leave: places.enter(entry.key, !hasRoom, lane) };
    }
    return undefined;
  }

  /** Of the first entries of each group. */
  #oldest(lane: Lane, is: (entry: AgendaEntry) => boolean = () => true): AgendaEntry | undefined {
    let oldest: AgendaEntry | undefined;
    for (const [first] of this.#lanes[lane].values())
      if (first !== undefined && is(first) && (oldest === undefined || this.#isOlder(first, oldest)))
        oldest = first;
    return oldest;
  }

  #isOlder(a: AgendaEntry, b: AgendaEntry): boolean {
    return (this.#since.get(a) ?? 0) < (this.#since.get(b) ?? 0);
  }

  #remove(entry: AgendaEntry): void {
    if (!this.#since.delete(entry)) return;
    for (const lane of LANES) this.#lanes[lane].get(groupOf(entry.key))?.delete(entry);
  }
}

function laneOf({ key, triggers, owners, isUrgent }: AgendaEntry): Lane {
  const has = (is: (trigger: Trigger) => boolean) =>
    triggers.some(is) || owners.some((owner) => owner.triggers.some(is));
  if (key.kind !== 'destination') {
    if (has(({ order }) => order !== undefined)) return 'ordered';
  } else if (isUrgent && has(({ loses, evidence = [] }) => loses === true || evidence.length > 0))
    return 'losing';
  return isUrgent ? 'urgent' : 'ordinary';
}
