// How many at once: one that comes meanwhile waits for no more than these.
const MADE_AT_ONCE = 100;

/** Keys that want a job. Those that come while some jobs are being made are next, together. */
export class JobRequests {
  readonly #make: (keys: readonly string[]) => Promise<void>;
  readonly #failed: (error: unknown) => void;
  readonly #waiting = new Set<string>();
  #batch: readonly string[] = [];
  #making: Promise<void> | undefined;

  constructor(make: (keys: readonly string[]) => Promise<void>, failed: (error: unknown) => void) {
    this.#make = make;
    this.#failed = failed;
  }

  /** A failure is left to the sweep, with all that wait. */
  add(key: string): void {
    this.#waiting.add(key);
    this.#making ??= this.#makeAll();
  }

  keys(): readonly string[] {
    return [...this.#waiting, ...this.#batch];
  }

  /** Resolves once all is made or left. */
  async idle(): Promise<void> {
    await this.#making;
  }

  async #makeAll(): Promise<void> {
    // What else this turn of the event loop adds goes along.
    await new Promise((resolve) => setImmediate(resolve));
    try {
      while (this.#waiting.size > 0) {
        this.#batch = this.#take();
        await this.#make(this.#batch);
      }
    } catch (error) {
      this.#waiting.clear();
      this.#failed(error);
    }
    this.#batch = [];
    this.#making = undefined;
  }

  #take(): string[] {
    const taken: string[] = [];
    for (const key of this.#waiting) {
      if (taken.length === MADE_AT_ONCE) break;
      this.#waiting.delete(key);
      taken.push(key);
    }
    return taken;
  }
}
