import type { Clock } from '../clock.js';
import type { WatchedTable } from '../consul/consul.js';

/** When each watch of this process last proved to be alive. */
export class WatchAges {
  readonly #clock: Clock;
  readonly #aliveAt = new Map<WatchedTable, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  alive(table: WatchedTable): void {
    this.#aliveAt.set(table, this.#clock.now());
  }

  /** A table that is no longer watched has no age. */
  forget(table: WatchedTable): void {
    this.#aliveAt.delete(table);
  }

  /** Seconds since, by table. */
  ages(): Readonly<Record<string, number>> {
    const now = this.#clock.now();
    return Object.fromEntries([...this.#aliveAt].map(([table, at]) => [table, (now - at) / 1000]));
  }
}
