// How many at once: one that comes meanwhile waits for no more than these.
const MADE_AT_ONCE = 100;

export interface JobRequests {
  /** A failure is left to the sweep, with all that wait. */
  add(key: string): void;
  keys(): readonly string[];
  /** Resolves once all is made or left. */
  idle(): Promise<void>;
}

/** Keys that want a job. Those that come while some jobs are being made are next, together. */
export function createJobRequests(
  make: (keys: readonly string[]) => Promise<void>,
  failed: (error: unknown) => void,
): JobRequests {
  const waiting = new Set<string>();
  let batch: string[] = [];
  let making: Promise<void> | undefined;

  const makeAll = async () => {
    // What else this turn of the event loop adds goes along.
    await new Promise((resolve) => setImmediate(resolve));
    try {
      while (waiting.size > 0) {
        batch = [];
        for (const key of waiting) {
          if (batch.length === MADE_AT_ONCE) break;
          waiting.delete(key);
          batch.push(key);
        }
        await make(batch);
      }
    } catch (error) {
      waiting.clear();
      failed(error);
    }
    batch = [];
    making = undefined;
  };

  return {
    add(key) {
      waiting.add(key);
      making ??= makeAll();
    },
    keys: () => [...waiting, ...batch],
    async idle() {
      await making;
    },
  };
}
