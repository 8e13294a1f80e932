import type { Clock } from '../clock.js';
import type { Trail } from '../decisions/trail.js';
import { SyncError } from '../errors.js';

/** The same trail, which throws SyncError ERR_TIMEOUT once it was read for this long. */
export function boundTrail(trail: Trail, clock: Pick<Clock, 'now'>, limitMs: number): Trail {
  const end = clock.now() + limitMs;
  const check = () => {
    if (clock.now() < end) return;
    throw new SyncError(
      'ERR_TIMEOUT',
      `the answer takes longer than ${limitMs / 1000} s; ask for less, or ask on the command line`,
      { retriable: true },
    );
  };
  async function* bounded<T>(items: AsyncIterable<T>): AsyncIterable<T> {
    check();
    for await (const item of items) {
      check();
      yield item;
    }
  }
  return {
    extent: () => trail.extent(),
    subjects: (of) => bounded(trail.subjects(of)),
    newestFirst: (subject, at) => bounded(trail.newestFirst(subject, at)),
    next: (subject, at) => trail.next(subject, at),
    history: (of, options) => bounded(trail.history(of, options)),
    close: () => trail.close(),
  };
}
