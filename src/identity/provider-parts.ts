import type { Directory } from './directory.js';
import type { EventPoll, EventSource, EventSubscription } from './source.js';

/** Where events from one origin come from. */
export interface EventFeed {
  /** Absent if no webhook is configured, or if the kind has none. */
  readonly source?: EventSource;
  readonly poll?: EventPoll;
  readonly subscription?: EventSubscription;
}

/** Everything that the adapter of an identity provider offers. */
export interface ProviderParts extends EventFeed {
  /** Its `close` ends the connections of all parts. */
  readonly directory: Directory;
  /** Shared signals, in addition to the provider's own events. Both arrive at one address (`composeSources`). */
  readonly signals?: EventFeed;
}
