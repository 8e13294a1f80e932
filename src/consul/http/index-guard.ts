import { type Clock, steadyClock } from '../../clock.js';
import type { Logger } from '../../observe.js';
import { incomplete } from '../reader.js';
import type { Operation } from './request.js';

const SETTLE_MS = 5_000;

/**
 * The index of a table never decreases in the life of a cluster. If it does, a snapshot was restored or another cluster
 * answers, which may still be incomplete: for five seconds such answers are rejected.
 */
export interface IndexGuard {
  /**
   * Throws ERR_CONSUL_INCOMPLETE for an index below `floor`, by default the highest one so far. For concurrent reads of a
   * table the floor is the highest index when the read began.
   */
  check(operation: Operation, index: number, floor?: number): void;
  /** The highest index so far, 0 at first. */
  highest(operation: Operation): number;
}

export function createIndexGuard(clock: Clock, logger: Logger): IndexGuard {
  const steady = steadyClock(clock);
  const highest = new Map<Operation, number>();
  const rewoundSince = new Map<Operation, number>();
  return {
    highest: (operation) => highest.get(operation) ?? 0,
    check(operation, index, floor = highest.get(operation) ?? 0) {
      const known = highest.get(operation) ?? 0;
      if (index >= floor && index < known) return;
      if (index < known) {
        const now = steady.now();
        const since = rewoundSince.get(operation) ?? now;
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
