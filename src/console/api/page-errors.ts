import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { addChange, ChangeBody, type ChangeDeps } from '../../daemon/api-change.js';
import { printable } from '../../model/printable.js';
import { TokenBucket } from '../../model/token-bucket.js';
import type { Runtime } from '../../runtime.js';

const ErrorBody = ChangeBody.extend({
  /** What the browser says. */
  error: z.string().min(1).max(300),
  /** Where in the files of the page, as `index-CF2a9.js:1:2345`. */
  at: z.array(z.string().regex(/^[\w.-]{1,100}:\d{1,7}:\d{1,7}$/)).max(5),
});
/** Of lines, for all browsers together. */
const LOGGED = { burst: 5, everyMs: 60_000 };

/** `POST /api/page-errors`: what nobody caught in a browser becomes a line of the log, and is counted. */
export function addPageErrors(
  server: FastifyInstance,
  { access, logger, metrics, clock }: Pick<ChangeDeps, 'access'> & Runtime,
): void {
  const lines = new TokenBucket(LOGGED);
  const change = { access, logger, standby: async () => undefined };
  addChange(server, '/api/page-errors', 'read', change, ErrorBody, async ({ body, reply }) => {
    metrics.count('scopemesh_console_page_errors_total');
    if (lines.take(clock.now()))
      logger.warn(
        { error: printable(body.error), at: body.at, unlogged: lines.report() },
        'the page of the console failed in a browser; report it with this line and the version of scopemesh',
      );
    return reply.code(204).send();
  });
}
