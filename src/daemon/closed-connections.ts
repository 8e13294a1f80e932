import type { ClosedReason } from '../intake/admission.js';
import type { Runtime } from '../runtime.js';

/** Of the configuration: `http.listen` or `http.admin`. */
export type Listener = 'listen' | 'admin';

/** A flood closes thousands of connections a second. */
const LOG_INTERVAL_MS = 60_000;

/** Counts the connections that a listener closes because there are too many, and logs a line for each interval. */
export function reportClosed(
  listener: Listener,
  { metrics, logger, clock }: Runtime,
): (address: string, reason: ClosedReason) => void {
  let loggedAt: number | undefined;
  let closed = 0;
  return (address, reason) => {
    metrics.count('scopemesh_http_connections_closed_total', { listener, reason });
    closed++;
    const now = clock.now();
    // A clock that was set back must not silence the log.
    if (loggedAt !== undefined && now >= loggedAt && now - loggedAt < LOG_INTERVAL_MS) return;
    logger.warn(
      { listener: `http.${listener}`, address, reason, closed },
      'connections are closed because one address, or all addresses together, opened too many; find the sender and limit it in front of scopemesh',
    );
    loggedAt = now;
    closed = 0;
  };
}
