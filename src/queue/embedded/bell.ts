import type { Clock } from '../../clock.js';

/** Wakes the loops that wait for work; a ring while nobody waits is not kept, so look for work before waiting. */
export class Bell {
  readonly #clock: Clock;
  #wakers = new Set<() => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  ring(): void {
    for (const wake of [...this.#wakers]) wake();
  }

  /** Resolves at the next ring, after `ms` (if given), or when the signal aborts, whichever comes first. */
  async wait(ms: number | undefined, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const timer = new AbortController();
    let wake = () => {};
    const rung = new Promise<void>((resolve) => {
      wake = resolve;
    });
    this.#wakers.add(wake);
    signal.addEventListener('abort', wake, { once: true });
    if (ms !== undefined) {
      // The only way the sleep rejects is the abort below.
      this.#clock.sleep(ms, timer.signal).then(wake, () => {});
    }
    await rung;
    timer.abort();
    this.#wakers.delete(wake);
    signal.removeEventListener('abort', wake);
  }
}
