import { setMaxListeners } from 'node:events';
import { isOverload } from '../../errors.js';
import type { WriteLimit } from '../../queue/write-limit.js';

interface Waiting {
  readonly begin: () => void;
}

/**
 * Places for the writes of ACL objects, as many as the write limit allows at each moment, and some more for urgent writes.
 * They are for single requests: a job that reads an identity provider, or waits for its keys, holds none. What waits gets
 * its place in its order, and urgent writes come first. Tokens end without a place: that only revokes.
 *
 * The work must not ask for another place, nor wait for anything that does.
 */
export class WritePlaces {
  readonly #limit: Pick<WriteLimit, 'now' | 'completed' | 'overloaded'>;
  readonly #urgent: number;
  readonly #waiting = { urgent: new Set<Waiting>(), ordinary: new Set<Waiting>() };
  #running = 0;

  constructor(limit: Pick<WriteLimit, 'now' | 'completed' | 'overloaded'>, urgent: number) {
    this.#limit = limit;
    this.#urgent = urgent;
  }

  /** Rejects when the signal aborts before the work has begun. */
  async run<T>(work: () => Promise<T>, isUrgent: boolean, signal: AbortSignal): Promise<T> {
    signal.throwIfAborted();
    const placed = this.#place(isUrgent, signal);
    this.#next();
    await placed;
    try {
      return await work();
    } catch (error) {
      if (isOverload(error)) this.#limit.overloaded();
      throw error;
    } finally {
      this.#running--;
      this.#limit.completed();
      this.#next();
    }
  }

  #hasRoom(isUrgent: boolean): boolean {
    return this.#running < this.#limit.now + (isUrgent ? this.#urgent : 0);
  }

  /** Resolves when `#next` gave it a place. */
  async #place(isUrgent: boolean, signal: AbortSignal): Promise<void> {
    const waiting = isUrgent ? this.#waiting.urgent : this.#waiting.ordinary;
    // As many wait as there is work: Node.js would take eleven for a leak.
    setMaxListeners(0, signal);
    let stop = () => {};
    await new Promise<void>((resolve, reject) => {
      const entry = { begin: resolve };
      waiting.add(entry);
      stop = () => {
        if (waiting.delete(entry)) reject(signal.reason);
      };
      signal.addEventListener('abort', stop, { once: true });
    }).finally(() => signal.removeEventListener('abort', stop));
  }

  #next(): void {
    const { urgent, ordinary } = this.#waiting;
    for (const [waiting, isUrgent] of [
      [urgent, true],
      [ordinary, false],
    ] as const)
      for (const entry of waiting) {
        if (!this.#hasRoom(isUrgent)) break;
        waiting.delete(entry);
        this.#running++;
        entry.begin();
      }
  }
}
