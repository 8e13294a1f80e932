import type { Clock } from '../../clock.js';
import type { EventMemory, IncomingEvent } from '../inbox.js';

/** What one step of the inbox accepted. */
export interface AcceptedEvents {
  readonly provider: string;
  readonly events: readonly IncomingEvent[];
  readonly memory: EventMemory;
}

/** A replica that is further behind is no replica that one fails over to. */
const KEPT_MS = 30_000;
/** Some megabytes. */
const KEPT_EVENTS = 10_000;

/** The last events of this process, because a Redis that takes over may lack what the one before had acknowledged. */
export class RecentEvents {
  readonly #clock: Clock;
  readonly #kept: { readonly at: number; readonly accepted: AcceptedEvents }[] = [];
  #events = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(accepted: AcceptedEvents): void {
    if (accepted.events.length === 0) return;
    const now = this.#clock.now();
    this.#kept.push({ at: now, accepted });
    this.#events += accepted.events.length;
    for (let [first] = this.#kept; first !== undefined; [first] = this.#kept) {
      if (first.at >= now - KEPT_MS && this.#events <= KEPT_EVENTS) break;
      this.#events -= first.accepted.events.length;
      this.#kept.shift();
    }
  }

  /** By what they were accepted with, in the order of their acceptance. However long Redis was away, it may lack them. */
  all(): readonly AcceptedEvents[] {
    const all = new Map<string, AcceptedEvents & { readonly events: IncomingEvent[] }>();
    for (const { accepted } of this.#kept) {
      const { provider, memory, events } = accepted;
      const name = JSON.stringify([provider, memory.scope]);
      const known = all.get(name);
      if (known === undefined) all.set(name, { provider, memory, events: [...events] });
      else known.events.push(...events);
    }
    return [...all.values()];
  }
}
