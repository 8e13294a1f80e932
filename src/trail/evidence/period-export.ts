import type { TrailRecord } from '../../decisions/trail-record.js';

/**
 * The events of a period as the log has them, in the order of the chain: from the last checkpoint before it, without which the
 * rest cannot be verified, to its last decision.
 */
export class PeriodExport {
  readonly #from: string;
  readonly #to: string;
  readonly #events: string[] = [];
  #isBegun = false;
  /** How many events there are up to the last decision of the period. */
  #length = 0;

  constructor({ from, to }: { readonly from: string; readonly to: string }) {
    this.#from = from;
    this.#to = to;
  }

  add(event: string, record: TrailRecord): void {
    if (record.kind === 'unproven') return;
    if (record.kind === 'checkpoint' && !this.#isBegun) this.#events.length = 0;
    this.#events.push(event);
    if (record.kind !== 'decision') return;
    this.#isBegun ||= record.time >= this.#from && record.time <= this.#to;
    if (this.#isBegun && record.time <= this.#to) this.#length = this.#events.length;
  }

  events(): readonly string[] {
    return this.#events.slice(0, this.#length);
  }
}
