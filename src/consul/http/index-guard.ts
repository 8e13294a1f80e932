import type { Clock } from '../../clock.js';
import type { Logger } from '../../observe.js';
import { incomplete } from './answer.js';
import type { Operation } from './request.js';

const SETTLE_MS = 5_000;

/**
 * The index of a whole table never falls while a cluster lives on. If it does, a snapshot was restored or
 * another cluster answers, perhaps one that is still being filled: for five seconds such answers are no reads.
 */
export interface IndexGuard {
  /**
   * Throws ERR_CONSUL_INCOMPLETE for a rewound answer: below `floor`, by default what any answer had before. Where
   * several reads of a table are in flight, the floor is what was known when the read began.
   */
  check(operation: Operation, index: number, floor?: number): void;
  /** The highest index so far, 0 at first. */
  highest(operation: Operation): number;
}

export function createIndexGuard(clock: Clock, logger: Logger): IndexGuard {
  const highest = new Map<Operation, number>();
  const rewoundSince = new Map<Operation, number>();
  return {
    highest: (operation) => highest.get(operation) ?? 0,
    check(operation, index, floor = highest.get(operation) ?? 0) {
      const known = highest.get(operation) ?? 0;
      if (index >= floor && index < known) return;
      if (index < known) {
        const now = clock.now();
        // A clock that was set back begins the wait anew, and does not have to make up for what it went back.
        const since = Math.min(rewoundSince.get(operation) ?? now, now);
        rewoundSince.set(operation, since);
        if (now - since < SETTLE_MS) {
          throw incomplete(operation, `the index went back from ${known} to ${index}`);
        }
        logger.warn({ operation, from: known, to: index }, 'consul index went back for good');
      }
      rewoundSince.delete(operation);
      highest.set(operation, index);
    },
  };
}
