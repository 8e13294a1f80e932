type Listener = (reason: unknown) => void;

/**
 * One listener on each signal, whatever number of requests share it. A signal walks its whole list to add or to remove a
 * listener, which costs as much for each request as there are others in flight. Nothing stays in a signal without requests.
 */
export class AbortListeners {
  readonly #bySignal = new Map<AbortSignal, Set<Listener>>();

  /** Calls `listener` once if the signal aborts. Returns what ends that. */
  add(signal: AbortSignal, listener: Listener): () => void {
    let listeners = this.#bySignal.get(signal);
    if (listeners === undefined) {
      listeners = new Set();
      this.#bySignal.set(signal, listeners);
      signal.addEventListener('abort', this.#onAbort);
    }
    listeners.add(listener);
    return () => this.#remove(signal, listener);
  }

  #remove(signal: AbortSignal, listener: Listener): void {
    const listeners = this.#bySignal.get(signal);
    if (listeners?.delete(listener) !== true || listeners.size > 0) return;
    this.#bySignal.delete(signal);
    signal.removeEventListener('abort', this.#onAbort);
  }

  readonly #onAbort = ({ target }: Event): void => {
    if (!(target instanceof AbortSignal)) return;
    for (const listener of this.#bySignal.get(target) ?? []) listener(target.reason);
  };
}
