import { setMaxListeners } from 'node:events';
import { steadyClock } from '../clock.js';
import { messageOf, SyncError } from '../errors.js';
import type { ReconcilerDeps } from '../reconcile/deps.js';
import { countFailure } from '../reconcile/directory-failures.js';
import { readConsulSide, readDirectory } from '../reconcile/read-all.js';
import { restoreRecords } from '../reconcile/restore.js';
import { repeatSteps } from '../repeat.js';
import { runCooperatively } from '../run-cooperatively.js';
import type { Runtime } from '../runtime.js';
import { planningFleet } from '../state/fleet.js';

interface StandbyOptions {
  /** Around an empty world. */
  readonly createDeps: () => ReconcilerDeps;
  /** At least as long as a leader waits between two complete reads of a directory. */
  readonly intervalMs: () => number;
}

/** Before Consul and the store are read again after a failure. */
const RETRY_MS = 60_000;

/**
 * The time between two terms of a replica. It rehearses the beginning of a term again and again, so that the real one is
 * fast. It reads each directory at most once in an interval, across terms and failures: identity providers limit requests,
 * and the leader needs them for revocations.
 */
export class Standby {
  readonly #options: StandbyOptions;
  readonly #runtime: Runtime;
  /** The last read of each directory, by provider. */
  readonly #reads = new Map<string, { readonly begunAt: number; readonly isComplete: boolean }>();
  #isWarm = false;
  #end: AbortController | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(options: StandbyOptions, runtime: Runtime) {
    this.#options = options;
    this.#runtime = runtime;
  }

  /** Repeating is harmless. */
  begin(): void {
    if (this.#end !== undefined) return;
    const end = new AbortController();
    // Every request of a rehearsal listens to it. Node would report more than ten listeners as a leak.
    setMaxListeners(0, end.signal);
    this.#end = end;
    const message =
      'this standby cannot read Consul or the store; it tries again, and would write later if it led now';
    const step = () => this.#rehearse(end.signal);
    this.#running = this.#running.then(() =>
      repeatSteps({ message, pauseMs: RETRY_MS }, step, this.#runtime, end.signal),
    );
  }

  /** Resolves once nothing of it runs. Never rejects. */
  end(): Promise<void> {
    this.#end?.abort();
    this.#end = undefined;
    return this.#running;
  }

  /** Resolves with the milliseconds until the next one. */
  async #rehearse(signal: AbortSignal): Promise<number> {
    const { logger, metrics } = this.#runtime;
    const intervalMs = this.#options.intervalMs();
    try {
      await rehearse(this.#options.createDeps(), signal, (provider, read) =>
        this.#readIfDue(provider, intervalMs, read, signal),
      );
    } catch (error) {
      this.#isWarm = false;
      if (!signal.aborted) metrics.count('scopemesh_standby_read_failures_total');
      throw error;
    }
    const wasWarm = this.#isWarm;
    this.#isWarm = [...this.#reads.values()].every(({ isComplete }) => isComplete);
    if (this.#isWarm && !wasWarm) logger.info({}, 'this standby has read both sides and can take over fast');
    return intervalMs;
  }

  async #readIfDue(
    provider: string,
    intervalMs: number,
    read: () => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    const { clock, logger, metrics } = this.#runtime;
    const begunAt = steadyClock(clock).now();
    const last = this.#reads.get(provider);
    if (last !== undefined && begunAt - last.begunAt < intervalMs) return;
    this.#reads.set(provider, { begunAt, isComplete: false });
    try {
      await read();
      this.#reads.set(provider, { begunAt, isComplete: true });
    } catch (error) {
      if (signal.aborted || !(error instanceof SyncError)) throw error;
      metrics.count('scopemesh_standby_read_failures_total');
      countFailure(provider, error, { metrics });
      logger.warn(
        { provider, error: messageOf(error) },
        'this standby cannot read the directory of an identity provider; it would open nothing if it led now, and its first writes would be late',
      );
    }
  }
}

/**
 * Does what a new leader does before its first write, and records and writes nothing. `deps` has a world of its own, which
 * the caller drops: the leader's reads are newer, so no decision may come of this one. What stays is what makes the same
 * work fast: the adapters know most of what they will read, and the code is compiled. Throws if Consul or the store cannot
 * be read completely; no directory is read then. `each` calls `read` for the directories that are to be read; `read` throws
 * SyncError.
 */
export async function rehearse(
  deps: Pick<
    ReconcilerDeps,
    'world' | 'acl' | 'consul' | 'directories' | 'clock' | 'jwksUris' | 'logger' | 'journal' | 'window'
  >,
  signal: AbortSignal,
  each: (provider: string, read: () => Promise<void>) => Promise<void>,
): Promise<void> {
  await restoreRecords(deps);
  await readConsulSide(deps, signal);
  await Promise.all(
    [...deps.directories].map(([provider, directory]) =>
      each(provider, () => readDirectory(provider, directory, deps, signal)),
    ),
  );
  await runCooperatively(
    planningFleet(deps.world, deps.window, () => deps.clock.now()),
    signal,
  );
}
