import type { Clock } from '../clock.js';
import type { Logger, Metrics } from '../observe.js';
import type { Journal } from '../queue/journal.js';

/** What every journaled write works with. */
export interface ApplyDeps {
  readonly journal: Pick<Journal, 'record' | 'settle'>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Called after every settlement, so that the relay need not wait for its next look. */
  readonly onSettled: () => void;
}
