import { setMaxListeners } from 'node:events';
import { withLinkedSignal } from '../../linked-signal.js';
import type { WriteLimit } from '../../queue/write-limit.js';

const NEVER = new AbortController().signal;

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
  readonly #limit: Pick<WriteLimit, 'now' | 'completed' | 'failed'>;
  readonly #urgent: number;
  readonly #waiting = { urgent: new Set<Waiting>(), ordinary: new Set<Waiting>() };
  #running = 0;
  #urgentRunning = 0;

  constructor(limit: Pick<WriteLimit, 'now' | 'completed' | 'failed'>, urgent: number) {
    this.#limit = limit;
    this.#urgent = urgent;
  }

  /** Rejects when the signal aborts before the work has begun. `stop` ends only the wait for a place. */
  async run<T>(
    work: () => Promise<T>,
    isUrgent: boolean,
    signal: AbortSignal,
    stop: AbortSignal = NEVER,
  ): Promise<T> {
    signal.throwIfAborted();
    // The limit may have grown since something waits.
    this.#next();
    if (this.#waitingFor(isUrgent).size === 0 && this.#hasRoom(isUrgent)) this.#enter(isUrgent, 1);
    else await withLinkedSignal([signal, stop], (either) => this.#place(isUrgent, either));
    try {
      return await work();
    } catch (error) {
      this.#limit.failed(error);
      throw error;
    } finally {
      this.#enter(isUrgent, -1);
      this.#limit.completed();
      this.#next();
    }
  }

  /** When the limit falls, the ordinary writes that run already take no place of the urgent ones. */
  #hasRoom(isUrgent: boolean): boolean {
    const { now } = this.#limit;
    if (!isUrgent) return this.#running < now;
    return this.#running < now + this.#urgent || this.#urgentRunning < this.#urgent;
  }

  #enter(isUrgent: boolean, count: 1 | -1): void {
    this.#running += count;
    if (isUrgent) this.#urgentRunning += count;
  }

  #waitingFor(isUrgent: boolean): Set<Waiting> {
    return isUrgent ? this.#waiting.urgent : this.#waiting.ordinary;
  }

  /** Resolves when `#next` gave it a place. */
  async #place(isUrgent: boolean, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const waiting = this.#waitingFor(isUrgent);
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
        this.#enter(isUrgent, 1);
        entry.begin();
      }
  }
}
