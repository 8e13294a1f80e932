/** Wakes whoever waits. A ring while nobody waits is kept for the next one who does. */
export interface Notifier {
  ring(): void;
  /** Resolves at the next ring, or when the signal aborts. */
  wait(signal: AbortSignal): Promise<void>;
}

export function createNotifier(): Notifier {
  let rung = false;
  const waiting = new Set<() => void>();
  return {
    ring() {
      if (waiting.size === 0) rung = true;
      for (const wake of [...waiting]) wake();
    },
    wait(signal) {
      if (rung || signal.aborted) {
        rung = false;
        return Promise.resolve();
      }
      return new Promise((resolve) => {
        const wake = () => {
          waiting.delete(wake);
          signal.removeEventListener('abort', wake);
          resolve();
        };
        waiting.add(wake);
        signal.addEventListener('abort', wake, { once: true });
      });
    },
  };
}
