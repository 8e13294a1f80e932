import { setMaxListeners } from 'node:events';
import { messageOf } from '../src/errors.js';
import type { ReconcilerDeps } from '../src/reconcile/deps.js';
import { countFailure } from '../src/reconcile/directory-failures.js';
import { rehearse } from '../src/reconcile/rehearse.js';
import { Outage, repeat } from '../src/repeat.js';
import type { Runtime } from '../src/runtime.js';

export interface WarmthOptions {
  /** Around an empty world. */
  readonly createDeps: () => ReconcilerDeps;
  /** At least as long as a leader waits between two complete reads of a directory. */
  readonly intervalMs: number;
}

/** Rehearses the beginning of a term again and again until the signal aborts, so that the real one is fast. Never rejects. */
export async function stayWarm(
  { createDeps, intervalMs }: WarmthOptions,
  { clock, logger, metrics }: Runtime,
  signal: AbortSignal,
): Promise<void> {
  const outage = new Outage();
  let isWarm = false;
  const step = async () => {
    try {
      await rehearse(createDeps(), signal, (provider, error) => {
        countFailure(provider, error, { metrics });
        logger.warn(
          { provider, error: messageOf(error) },
          'this standby cannot read the directory of an identity provider; it would open nothing if it led now',
        );
      });
      outage.ends(clock.now());
      if (!isWarm) logger.info({}, 'this standby has read both sides and can take over fast');
      isWarm = true;
      return 'done' as const;
    } catch (error) {
      if (signal.aborted) return { failed: true } as const;
      metrics.count('scopemesh_standby_read_failures_total');
      if (outage.begins(clock.now()))
        logger.warn(
          { error: messageOf(error) },
          'this standby cannot read both sides; it tries again, and would write later if it led now',
        );
      return { failed: true } as const;
    }
  };
  await repeat(intervalMs, step, clock, signal, intervalMs);
}

/** The time between two terms of a replica. */
export class Standby {
  readonly #run: (signal: AbortSignal) => Promise<void>;
  #end: AbortController | undefined;
  #running: Promise<void> = Promise.resolve();

  /** `run` ends soon after its signal has aborted, and never rejects. */
  constructor(run: (signal: AbortSignal) => Promise<void>) {
    this.#run = run;
  }

  /** Repeating is harmless. */
  begin(): void {
    if (this.#end !== undefined) return;
    const end = new AbortController();
    // Every request of a rehearsal listens to it. Node would report more than ten listeners as a leak.
    setMaxListeners(0, end.signal);
    this.#end = end;
    this.#running = this.#running.then(() => this.#run(end.signal));
  }

  /** Resolves once nothing of it runs. Never rejects. */
  end(): Promise<void> {
    this.#end?.abort();
    this.#end = undefined;
    return this.#running;
  }
}
