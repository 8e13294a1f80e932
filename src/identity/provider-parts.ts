import type { Directory } from './directory.js';
import type { EventPoll, EventSource, EventSubscription } from './source.js';

/** Everything that an adapter of one kind of identity provider offers. */
export interface ProviderParts {
  /** Its `close` ends the connections of all parts. */
  readonly directory: Directory;
  /** Absent where no webhook is configured, or the kind has none. */
  readonly source?: EventSource;
  readonly poll?: EventPoll;
  readonly subscription?: EventSubscription;
}
