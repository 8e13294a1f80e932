import type { FastifyInstance } from 'fastify';
import type { Config } from '../../config/config.js';
import type { ClosedReason } from '../intake/admission.js';
import { TokenBucket } from '../model/token-bucket.js';
import type { Runtime } from '../runtime.js';
import { createHttpServer, listen } from './http-server.js';

const NOT_FOUND_BESIDE_ADMIN =
  'this listener has /events/, /healthz and /readyz; everything else is at http.admin';

export interface Listeners {
  /** The server at `http.listen`. */
  readonly main: FastifyInstance;
  /** At `http.admin`, if that is set. */
  readonly admin: FastifyInstance | undefined;
  /** Begins to listen, after the routes are added. */
  listen(): Promise<{ readonly listen: string; readonly admin: string | undefined }>;
  /** Repeating is safe. */
  close(): Promise<void>;
}

export function openListeners({ http }: Pick<Config, 'http'>, runtime: Runtime): Listeners {
  const main = createHttpServer(
    http.admin === undefined ? {} : { notFound: NOT_FOUND_BESIDE_ADMIN },
    reportClosed('listen', runtime),
  );
  const admin = http.admin === undefined ? undefined : createHttpServer({}, reportClosed('admin', runtime));
  return {
    main,
    admin,
    async listen() {
      return {
        listen: await listen(main, http.listen, 'http.listen'),
        admin:
          admin === undefined || http.admin === undefined
            ? undefined
            : await listen(admin, http.admin, 'http.admin'),
      };
    },
    async close() {
      await Promise.all([main.close(), admin?.close()]);
    },
  };
}

/** Of the configuration: `http.listen` or `http.admin`. */
type Listener = 'listen' | 'admin';

/** A flood closes thousands of connections a second. */
const LOG_INTERVAL_MS = 60_000;

/** Counts the connections that a listener closes because there are too many, and logs a line for each interval. */
export function reportClosed(
  listener: Listener,
  { metrics, logger, clock }: Runtime,
): (address: string, reason: ClosedReason) => void {
  const lines = new TokenBucket({ burst: 1, everyMs: LOG_INTERVAL_MS });
  return (address, reason) => {
    metrics.count('scopemesh_http_connections_closed_total', { listener, reason });
    if (!lines.take(clock.now())) return;
    logger.warn(
      { listener: `http.${listener}`, address, reason, closed: 1 + lines.report() },
      'connections are closed because one address, or all addresses together, opened too many; find the sender and limit it in front of scopemesh',
    );
  };
}
