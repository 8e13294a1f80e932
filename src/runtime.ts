import type { Clock } from './clock.js';
import type { Logger, Metrics } from './observe.js';

/** What every part of a process is given. */
export interface Runtime {
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly clock: Clock;
}
