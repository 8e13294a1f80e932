import type { Directory } from './directory.js';
import type { EventPoll, EventSource, EventSubscription } from './source.js';

/** What brings events of one origin. */
export interface EventFeed {
  /** Absent where no webhook is configured, or the kind has none. */
  readonly source?: EventSource;
  readonly poll?: EventPoll;
  readonly subscription?: EventSubscription;
}

/** Everything that an adapter of one kind of identity provider offers. */
export interface ProviderParts extends EventFeed {
  /** Its `close` ends the connections of all parts. */
  readonly directory: Directory;
  /** Shared signals beside the provider's own events; both come to one address (`composeSources`). */
  readonly signals?: EventFeed;
}
