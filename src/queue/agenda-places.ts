import type { Key } from '../model/key.js';
import type { WriteLimit } from './write-limit.js';

export interface AgendaLimits {
  /** Destinations written at once. */
  readonly writes: WriteLimit;
  /** Runs of every other kind at once. */
  readonly reads: number;
  /**
   * Runs of each kind beyond its limit, for urgent keys alone. Clients with an order have as many again, and each
   * provider has as many whatever the others do.
   */
  readonly urgent: number;
}

/**
 * In the order in which they get places. Clients with an order, and destinations with evidence of a loss, never wait
 * behind clients that wait for an identity provider.
 */
export const LANES = ['ordered', 'losing', 'urgent', 'ordinary'] as const;
export type Lane = (typeof LANES)[number];

/** The runs that share a limit: writes of destinations, or reads of one provider. */
export type Group = 'writes' | `reads of ${string}`;

/** Who may run at once: what fills the places of one kind, or of what is not urgent, leaves those of the others. */
export class Places {
  readonly #limits: AgendaLimits;
  readonly #running = new Map<Group, number>();
  readonly #ordinary = new Map<Group, number>();
  #inUse = 0;
  /** Reads beside those in a place of their provider alone, which leave the places of urgent keys free. */
  #unreservedReads = 0;

  constructor(limits: AgendaLimits) {
    this.#limits = limits;
  }

  get inUse(): number {
    return this.#inUse;
  }

  hasRoom(key: Key, lane: Lane): boolean {
    const { writes, reads, urgent } = this.#limits;
    const extra = { ordered: 2 * urgent, losing: urgent, urgent, ordinary: 0 }[lane];
    if (groupOf(key) !== 'writes') return this.#unreservedReads < extra + reads;
    // When the limit falls, the ordinary writes that run already take no place of the urgent ones.
    const running = this.#of('writes');
    return running < extra + writes.now || running - this.#ordinaryOf('writes') < extra;
  }

  /**
   * Whether there is a place that nothing else can fill. Each provider has some. What is not urgent has one: revocations and
   * events that keep coming must not hold back grants and complete comparisons for ever.
   */
  hasOwnRoom(key: Key, lane: Lane): boolean {
    const group = groupOf(key);
    if (lane === 'ordinary' && this.#ordinaryOf(group) === 0) return true;
    return group !== 'writes' && this.#of(group) < this.#limits.urgent;
  }

  /** Takes a place, which may be one that nothing else can fill; returns what gives it back. */
  enter(key: Key, isOwn: boolean, lane: Lane): () => void {
    const group = groupOf(key);
    const unreserved = group === 'writes' || isOwn ? 0 : 1;
    this.#add(group, 1, lane);
    this.#unreservedReads += unreserved;
    return () => {
      this.#add(group, -1, lane);
      this.#unreservedReads -= unreserved;
      if (group === 'writes') this.#limits.writes.completed();
    };
  }

  overloaded(): void {
    this.#limits.writes.overloaded();
  }

  #of(group: Group): number {
    return this.#running.get(group) ?? 0;
  }

  #ordinaryOf(group: Group): number {
    return this.#ordinary.get(group) ?? 0;
  }

  #add(group: Group, count: number, lane: Lane): void {
    this.#running.set(group, this.#of(group) + count);
    if (lane === 'ordinary') this.#ordinary.set(group, this.#ordinaryOf(group) + count);
    this.#inUse += count;
  }
}

export function groupOf(key: Key): Group {
  if (key.kind === 'destination') return 'writes';
  return `reads of ${key.kind === 'client' ? key.provider : key.name}`;
}
