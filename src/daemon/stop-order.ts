import { setMaxListeners } from 'node:events';
import type { Clock } from '../clock.js';
import type { Term } from '../lease/term.js';
import { untilAborted } from '../linked-signal.js';

/** How long the relay of a leader that stops keeps the next one waiting. */
const RELAY_MS = 500;

interface TermParts {
  /** What finds work: polls, watches, the resync. */
  readonly inputs: readonly Promise<void>[];
  readonly jobs: Promise<void>;
  /** Publishes what the jobs have settled. */
  readonly relay: Promise<void>;
  /** Stores what jobs have left in memory. Repeating is safe. */
  readonly flush: () => Promise<void>;
}

/** The order in which the parts of a term end: the inputs, then the running jobs, then the relay. Each has its signal. */
export class StopOrder {
  readonly #term: Pick<Term, 'stop' | 'lost' | 'handOver'>;
  readonly #clock: Clock;
  readonly #failed = new AbortController();
  readonly #jobs = new AbortController();
  readonly #relay = new AbortController();
  /** Aborts at the term's `stop` or `lost`, or when a part has failed. */
  readonly inputs: AbortSignal;

  constructor(term: Pick<Term, 'stop' | 'lost' | 'handOver'>, clock: Clock) {
    this.#term = term;
    this.#clock = clock;
    this.inputs = AbortSignal.any([term.stop, term.lost, this.#failed.signal]);
    // Every query to Consul listens to it. Node would report more than ten listeners as a leak.
    setMaxListeners(0, this.inputs);
  }

  /** Aborts once the inputs have ended. */
  get jobs(): AbortSignal {
    return this.#jobs.signal;
  }

  /** Aborts once the jobs have ended. */
  get relay(): AbortSignal {
    return this.#relay.signal;
  }

  /** Resolves after the parts have ended in order and the term is handed over. Rejects with the first failure, after all have ended. */
  async end({ inputs, jobs, relay, flush }: TermParts): Promise<void> {
    try {
      await Promise.race([Promise.all([...inputs, jobs, relay]), untilAborted(this.inputs)]);
      await Promise.all(inputs);
      this.#jobs.abort();
      await jobs;
      this.#relay.abort();
      // The relay may wait for a log that does not answer. The next leader publishes what it leaves.
      const last = Promise.all([relay, flush()]);
      await Promise.race([last, this.#clock.sleep(RELAY_MS).catch(() => {})]);
      await this.#term.handOver();
      await relay;
    } finally {
      // After a failure, the other parts must not use connections that are about to close.
      for (const part of [this.#failed, this.#jobs, this.#relay]) part.abort();
      await Promise.allSettled([...inputs, jobs, relay, flush()]);
    }
  }
}
