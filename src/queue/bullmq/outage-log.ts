import type { Clock } from '../../clock.js';
import type { Logger } from '../../observe.js';

/** Says once that Redis is away and once that it is back, however many connections try how often. */
export class OutageLog {
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #address: string;
  readonly #textOf: (error: unknown) => string;
  #since: number | undefined;

  /** `textOf`: what may be logged of an error. */
  constructor(logger: Logger, clock: Clock, address: string, textOf: (error: unknown) => string) {
    this.#logger = logger;
    this.#clock = clock;
    this.#address = address;
    this.#textOf = textOf;
  }

  failed(error: unknown): void {
    if (this.#since !== undefined) return;
    this.#since = this.#clock.now();
    this.#logger.warn({ redis: this.#address, error: this.#textOf(error) }, 'redis unreachable');
  }

  recovered(): void {
    if (this.#since === undefined) return;
    const awayMs = this.#clock.now() - this.#since;
    this.#since = undefined;
    this.#logger.info({ redis: this.#address, awayMs }, 'redis reachable again');
  }

  get isAway(): boolean {
    return this.#since !== undefined;
  }
}
