import { Limiter } from '../../limiter.js';
import type { WriteLimit } from '../../queue/write-limit.js';

/**
 * Places for the writes of ACL objects, as many as the write limit allows at each moment, and some more for urgent writes.
 * They are for single requests: a job that reads an identity provider, or waits for its keys, holds none. Tokens end
 * without a place: that only revokes.
 */
export class WritePlaces {
  readonly #limit: Pick<WriteLimit, 'now' | 'completed' | 'failed'>;
  readonly #places: Limiter<'urgent' | 'ordinary'>;

  constructor(limit: Pick<WriteLimit, 'now' | 'completed' | 'failed'>, extra: number) {
    this.#limit = limit;
    this.#places = new Limiter(['urgent', 'ordinary'], (lane, running) => {
      const all = running('urgent') + running('ordinary');
      // When the limit falls, the ordinary writes that run already take no place of the urgent ones.
      return (
        all < limit.now + (lane === 'urgent' ? extra : 0) || (lane === 'urgent' && running(lane) < extra)
      );
    });
  }

  /** Rejects when the signal aborts before the work has begun. `stop` ends only the wait for a place. */
  run<T>(work: () => Promise<T>, isUrgent: boolean, signal: AbortSignal, stop?: AbortSignal): Promise<T> {
    const counted = async () => {
      try {
        return await work();
      } catch (error) {
        this.#limit.failed(error);
        throw error;
      } finally {
        this.#limit.completed();
      }
    };
    return this.#places.run(isUrgent ? 'urgent' : 'ordinary', counted, signal, stop);
  }
}
