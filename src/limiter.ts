import { setMaxListeners } from 'node:events';
import { NEVER, withLinkedSignal } from './linked-signal.js';

/** How many of a lane run now. */
type Running<Lane> = (lane: Lane) => number;

/**
 * Places for work that several callers share. What waits gets its place in its order, and an earlier lane goes first. How
 * many places there are is for the caller to say, and may change: see `wake`.
 *
 * The work must not ask for another place, nor wait for anything that does.
 */
export class Limiter<Lane extends string> {
  readonly #hasRoom: (lane: Lane, running: Running<Lane>) => boolean;
  /** In the order in which they get places. */
  readonly #waiting: ReadonlyMap<Lane, Set<() => void>>;
  readonly #counts = new Map<Lane, number>();
  readonly #running = (lane: Lane) => this.#counts.get(lane) ?? 0;

  /** `hasRoom`: whether one more of the lane may run now. */
  constructor(lanes: readonly Lane[], hasRoom: (lane: Lane, running: Running<Lane>) => boolean) {
    this.#hasRoom = hasRoom;
    this.#waiting = new Map(lanes.map((lane) => [lane, new Set()]));
  }

  /** Rejects when the signal aborts before the work has begun. `stop` ends only the wait for a place. */
  async run<T>(
    lane: Lane,
    work: () => Promise<T>,
    signal: AbortSignal,
    stop: AbortSignal = NEVER,
  ): Promise<T> {
    signal.throwIfAborted();
    // There may be more room since something waits.
    this.wake();
    if (this.#waiting.get(lane)?.size === 0 && this.#hasRoom(lane, this.#running)) this.#enter(lane, 1);
    else await withLinkedSignal([signal, stop], (either) => this.#place(lane, either));
    try {
      return await work();
    } finally {
      this.#enter(lane, -1);
      this.wake();
    }
  }

  /** Call it when there may be more room. */
  wake(): void {
    for (const [lane, waiting] of this.#waiting)
      for (const begin of waiting) {
        if (!this.#hasRoom(lane, this.#running)) break;
        waiting.delete(begin);
        this.#enter(lane, 1);
        begin();
      }
  }

  #enter(lane: Lane, count: 1 | -1): void {
    this.#counts.set(lane, this.#running(lane) + count);
  }

  /** Resolves when `wake` gave it a place. */
  async #place(lane: Lane, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    // As many wait as there is work: Node.js would take eleven for a leak.
    setMaxListeners(0, signal);
    let stop = () => {};
    await new Promise<void>((resolve, reject) => {
      const begin = resolve;
      this.#waiting.get(lane)?.add(begin);
      stop = () => {
        if (this.#waiting.get(lane)?.delete(begin)) reject(signal.reason);
      };
      signal.addEventListener('abort', stop, { once: true });
    }).finally(() => signal.removeEventListener('abort', stop));
  }
}

/**
 * Maps the items, at most `width` at a time; the results are in the order of the items. The first failure aborts the
 * signal of the other calls and starts no further ones. Resolves or rejects only after all started calls have ended.
 */
export async function mapBounded<T, R>(
  items: readonly T[],
  { width, signal }: { readonly width: number; readonly signal?: AbortSignal },
  map: (item: T, stop: AbortSignal) => Promise<R>,
): Promise<R[]> {
  const failed = new AbortController();
  const ends = signal === undefined ? [failed.signal] : [signal, failed.signal];
  return withLinkedSignal(ends, (stop) => mapUntil(stop, failed, items, width, map));
}

async function mapUntil<T, R>(
  stop: AbortSignal,
  failed: AbortController,
  items: readonly T[],
  width: number,
  map: (item: T, stop: AbortSignal) => Promise<R>,
): Promise<R[]> {
  // Each running call listens, and may wait for its turn besides, so more than ten listeners are not a leak.
  setMaxListeners(Math.max(10, 2 * width), stop);
  const results: R[] = [];
  const queue = items.entries();
  const work = async () => {
    for (const [index, item] of queue) {
      stop.throwIfAborted();
      results[index] = await map(item, stop);
    }
  };
  const workers = Array.from({ length: Math.min(width, items.length) }, () =>
    work().catch((error: unknown) => failed.abort(error)),
  );
  await Promise.all(workers);
  if (failed.signal.aborted) throw stop.reason;
  return results;
}
