import type { Clock } from '../../clock.js';
import type { Logger } from '../../observe.js';

/**
 * Says once that Redis is away and once that it is back, however many connections try how often: it is back when each of
 * them is.
 */
export class OutageLog {
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #address: string;
  readonly #textOf: (error: unknown) => string;
  readonly #away = new Set<object>();
  #since = 0;

  /** `textOf`: what may be logged of an error. */
  constructor(logger: Logger, clock: Clock, address: string, textOf: (error: unknown) => string) {
    this.#logger = logger;
    this.#clock = clock;
    this.#address = address;
    this.#textOf = textOf;
  }

  failed(connection: object, error: unknown): void {
    const isFirst = this.#away.size === 0;
    this.#away.add(connection);
    if (!isFirst) return;
    this.#since = this.#clock.now();
    this.#logger.warn({ redis: this.#address, error: this.#textOf(error) }, 'redis unreachable');
  }

  /** The connection is ready again, or nobody needs it any more. */
  recovered(connection: object): void {
    if (!this.#away.delete(connection) || this.#away.size > 0) return;
    const awayMs = this.#clock.now() - this.#since;
    this.#logger.info({ redis: this.#address, awayMs }, 'redis reachable again');
  }
}
