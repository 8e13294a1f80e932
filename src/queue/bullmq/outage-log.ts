import type { Clock } from '../../clock.js';
import type { Logger } from '../../observe.js';

export interface OutageLog {
  failed(connection: object, error: unknown): void;
  /** The connection is ready again, or nobody needs it any more. */
  recovered(connection: object): void;
}

/**
 * Says once that Redis is away and once that it is back, however many connections try how often: it is back when each of
 * them is. `textOf`: what may be logged of an error.
 */
export function createOutageLog(
  logger: Logger,
  clock: Clock,
  address: string,
  textOf: (error: unknown) => string,
): OutageLog {
  const away = new Set<object>();
  let since = 0;
  return {
    failed(connection, error) {
      const isFirst = away.size === 0;
      away.add(connection);
      if (!isFirst) return;
      since = clock.now();
      logger.warn({ redis: address, error: textOf(error) }, 'redis unreachable');
    },

    recovered(connection) {
      if (!away.delete(connection) || away.size > 0) return;
      logger.info({ redis: address, awayMs: clock.now() - since }, 'redis reachable again');
    },
  };
}
