import type { Key } from '../model/key.js';
import type { Trigger } from '../model/trigger.js';
import type { AgendaEntry } from './agenda-entry.js';
import type { ConcurrencyLimit } from './concurrency-limit.js';

export interface AgendaLimits {
  /** Destinations written at once. */
  readonly writes: ConcurrencyLimit;
  /** Runs of every other kind at once. */
  readonly reads: number;
  /** Runs of each kind beyond its limit, for urgent keys alone; clients with an order have as many again. */
  readonly urgent: number;
}

/**
 * In the order in which they get places. Clients with an order, and destinations with evidence of a loss, never stand
 * behind clients that wait for an identity provider.
 */
export const LANES = ['ordered', 'told', 'urgent', 'ordinary'] as const;
export type Lane = (typeof LANES)[number];
type Kind = 'writes' | 'reads';

/** Who may run at once: what fills the places of one kind, or of what is not urgent, leaves those of the others. */
export class Places {
  readonly #limits: AgendaLimits;
  readonly #running: Record<Kind, number> = { writes: 0, reads: 0 };

  constructor(limits: AgendaLimits) {
    this.#limits = limits;
  }

  get inUse(): number {
    return this.#running.writes + this.#running.reads;
  }

  hasRoom(key: Key, lane: Lane): boolean {
    const { writes, reads, urgent } = this.#limits;
    const extra = { ordered: 2 * urgent, told: urgent, urgent, ordinary: 0 }[lane];
    return this.#running[kindOf(key)] < extra + (kindOf(key) === 'writes' ? writes.now : reads);
  }

  /** Takes a place; returns what gives it back. */
  enter(key: Key): () => void {
    const kind = kindOf(key);
    this.#running[kind]++;
    return () => {
      this.#running[kind]--;
      if (kind === 'writes') this.#limits.writes.completed();
    };
  }

  overloaded(): void {
    this.#limits.writes.overloaded();
  }
}

export function laneOf({ key, triggers, owners, isUrgent }: AgendaEntry): Lane {
  const of = (is: (trigger: Trigger) => boolean) =>
    triggers.some(is) || owners.some((owner) => owner.triggers.some(is));
  if (kindOf(key) === 'reads') {
    if (of(({ order }) => order !== undefined)) return 'ordered';
  } else if (isUrgent && of(({ evidence = [] }) => evidence.length > 0)) return 'told';
  return isUrgent ? 'urgent' : 'ordinary';
}

function kindOf(key: Key): Kind {
  return key.kind === 'destination' ? 'writes' : 'reads';
}
