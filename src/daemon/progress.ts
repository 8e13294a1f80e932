import type { Clock } from '../clock.js';
import { formatKey } from '../model/key.js';
import type { AgendaHandler } from '../queue/follow-ups.js';

/** Everything that a job waits for has a limit far below. */
const STUCK_MS = 10 * 60_000;

/** Whether the daemon does its work. A server that is away is no reason to doubt it. */
export class Progress {
  readonly #clock: Clock;
  /** When each running job began, without directories: to read one can take long. */
  readonly #running = new Map<string, number>();
  /** When a job began or ended; undefined before the first job, because Consul may be away until then. */
  #movedAt: number | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The same handler, observed. */
  observe(handler: AgendaHandler): AgendaHandler {
    return async (job, signal, followUps) => {
      const key = formatKey(job.key);
      this.#movedAt = this.#clock.now();
      if (job.key.kind !== 'directory') this.#running.set(key, this.#movedAt);
      try {
        return await handler(job, signal, followUps);
      } finally {
        this.#running.delete(key);
        this.#movedAt = this.#clock.now();
      }
    };
  }

  /**
   * What is stuck; undefined if nothing is.
   * @param waiting jobs that could begin
   * @param watchAges of each watch on Consul, the seconds since it proved to be alive
   * @param sweptAt when the last complete comparison with Consul ended
   */
  stuck(
    waiting: number,
    watchAges: Readonly<Record<string, number>>,
    sweptAt: number | undefined,
  ): string | undefined {
    const now = this.#clock.now();
    for (const [key, since] of this.#running)
      if (now - since > STUCK_MS) return `the job of ${key} does not end`;
    if (waiting > 0 && this.#movedAt !== undefined && now - this.#movedAt > STUCK_MS)
      return `${waiting} jobs wait and none begins`;
    for (const [table, ageSeconds] of Object.entries(watchAges)) {
      if (sweptAt === undefined) continue;
      // Consul answered a complete comparison long after the watch was last alive, so Consul is not away.
      if (sweptAt - (now - ageSeconds * 1000) > STUCK_MS) return `the watch on ${table} is dead`;
    }
    return undefined;
  }
}
