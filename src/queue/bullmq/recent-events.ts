import type { Clock } from '../../clock.js';
import { type EventMemory, type IncomingEvent, sizeOf, toSteps } from '../inbox.js';
import { KEPT_MS } from './recent-steps.js';

/** What one step of the inbox accepts. */
export interface AcceptedEvents {
  readonly provider: string;
  readonly events: readonly IncomingEvent[];
  readonly memory: EventMemory;
}

interface KeptEvent extends Omit<AcceptedEvents, 'events'> {
  readonly event: IncomingEvent;
  /** When it was acknowledged last. */
  at: number;
}

/** Events, triggers and rechecks: some megabytes. */
const KEPT_SIZE = 20_000;

/** The last events of this process, because a Redis that takes over may lack what the one before had acknowledged. */
export class RecentEvents {
  readonly #clock: Clock;
  /** By provider, scope and ID, in the order of their first acceptance. */
  readonly #kept = new Map<string, KeptEvent>();
  /** Those of them, and of earlier ones, that Redis may lack. */
  readonly #missing = new Map<string, KeptEvent>();
  #size = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add({ provider, events, memory }: AcceptedEvents): void {
    const now = this.#clock.now();
    for (const event of events) {
      const name = nameOf(provider, memory, event);
      const known = this.#kept.get(name);
      if (known === undefined) {
        this.#kept.set(name, { provider, event, memory, at: now });
        this.#size += sizeOf(event);
      } else known.at = now;
    }
    for (const [name, { at, event }] of this.#kept) {
      if (at >= now - KEPT_MS && this.#size <= KEPT_SIZE) break;
      this.#size -= sizeOf(event);
      this.#kept.delete(name);
    }
  }

  /** Redis may lack what it acknowledged shortly before. `at`: when it was lost, for an outage of any length. */
  lost(at: number): void {
    for (const [name, kept] of this.#kept) if (kept.at >= at - KEPT_MS) this.#missing.set(name, kept);
  }

  restored(step: AcceptedEvents): void {
    for (const event of step.events) this.#missing.delete(nameOf(step.provider, step.memory, event));
    this.add(step);
  }

  get countMissing(): number {
    return this.#missing.size;
  }

  /** What Redis may lack, in steps for the inbox. */
  missing(): readonly AcceptedEvents[] {
    const groups = new Map<string, AcceptedEvents & { readonly events: IncomingEvent[] }>();
    for (const { provider, event, memory } of this.#missing.values()) {
      const name = JSON.stringify([provider, memory.scope]);
      const known = groups.get(name);
      if (known === undefined) groups.set(name, { provider, memory, events: [event] });
      else known.events.push(event);
    }
    return [...groups.values()].flatMap((group) =>
      toSteps(group.events).map((events) => ({ ...group, events })),
    );
  }
}

function nameOf(provider: string, { scope }: EventMemory, { id }: IncomingEvent): string {
  return JSON.stringify([provider, scope, id]);
}
