/** Wakes the loops that wait for work. */
export interface Notifier {
  /** A notification while no loop waits is kept for the next one that does. */
  notify(): void;
  /** Resolves at the next notification, or when the signal aborts. */
  wait(signal: AbortSignal): Promise<void>;
}

export function createNotifier(): Notifier {
  let isPending = false;
  const waiting = new Set<() => void>();
  return {
    notify() {
      if (waiting.size === 0) isPending = true;
      for (const wake of [...waiting]) wake();
    },
    wait(signal) {
      if (isPending || signal.aborted) {
        isPending = false;
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
