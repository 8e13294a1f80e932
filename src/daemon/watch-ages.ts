import type { Clock } from '../clock.js';
import type { Consul, WatchedTable, WatchListener } from '../consul/consul.js';
import { withLinkedSignal } from '../linked-signal.js';

/** The watches of this process: when each last proved to be alive, and a way to start all again. */
export class WatchAges {
  readonly #clock: Clock;
  readonly #aliveAt = new Map<WatchedTable, number>();
  #again = new AbortController();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Watches until the signal aborts, and begins again after each `restart`. */
  async watch(
    table: WatchedTable,
    listener: WatchListener,
    consul: Pick<Consul, 'watch'>,
    signal: AbortSignal,
  ): Promise<void> {
    while (!signal.aborted)
      await withLinkedSignal([signal, this.#again.signal], (either) => consul.watch(table, listener, either));
  }

  /** A watch that starts again reads its table at once. */
  restart(): void {
    const ended = this.#again;
    this.#again = new AbortController();
    ended.abort();
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
