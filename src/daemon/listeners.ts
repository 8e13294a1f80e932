import type { FastifyInstance } from 'fastify';
import type { Config } from '../../config/config.js';
import type { Runtime } from '../runtime.js';
import { reportClosed } from './closed-connections.js';
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
