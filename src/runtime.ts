import type { Clock } from './clock.js';
import type { Secret } from './model/secret.js';
import type { Logger, Metrics, Traced } from './observe.js';

/** `HTTPS_PROXY` and `NO_PROXY`: the way of https requests to identity providers. */
export interface HttpsProxy {
  /** May hold a password. */
  readonly url: Secret;
  /** As `NO_PROXY` has it; empty if every host is reached by the proxy. */
  readonly except: string;
}

/** What every part of a process is given. */
export interface Runtime extends Traced {
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly proxy?: HttpsProxy;
}
