import { randomUUID } from 'node:crypto';
import { Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import { SyncError } from '../../errors.js';
import { formatKey } from '../../model/key.js';
import type { Trigger } from '../../model/trigger.js';
import type { JobHandler, Queue, QueueState, Unparked } from '../queue.js';
import { interrupt, queueClosed, type RunDeps, runJob } from '../run-job.js';
import { batches, type KeyStore } from './key-store.js';
import type { RedisLink } from './redis-link.js';
import { checkSafety } from './safety.js';
import type { Schedule } from './schedule.js';
import type { Wake } from './wake.js';

// A worker of BullMQ fetches one job after the other until it has all that it may run, and only then begins the first.
const JOBS_OF_A_WORKER = 16;
const LOCK_MS = 10_000;
// With the lock's length this bounds how long a killed process keeps its keys from running.
const STALLED_CHECK_MS = 3000;
const SWEEP_MS = 5000;
const RETRY_MS = 1000;
const CLOSE_TIMEOUT_MS = 5000;

interface Run {
  readonly abort: AbortController;
  readonly ended: Promise<void>;
}

/** Plain structures hold what must not be lost (`KeyStore`), BullMQ decides when which key runs (`Schedule`). */
export class BullmqQueue implements Queue {
  readonly #deps: RunDeps;
  readonly #link: RedisLink;
  readonly #store: KeyStore;
  readonly #schedule: Schedule;
  readonly #wake: Wake;
  readonly #allowUnsafe: boolean;
  readonly #running = new Map<string, Run>();
  readonly #becameDurable: (triggers: readonly Trigger[]) => void;
  readonly #loops = new Set<Promise<void>>();
  readonly #closing = new AbortController();

  /** `becameDurable`: triggers that another process made durable. */
  constructor(
    link: RedisLink,
    store: KeyStore,
    schedule: Schedule,
    wake: Wake,
    allowUnsafe: boolean,
    deps: RunDeps,
    becameDurable: (triggers: readonly Trigger[]) => void = () => {},
  ) {
    this.#wake = wake;
    this.#becameDurable = becameDurable;
    this.#link = link;
    this.#store = store;
    this.#schedule = schedule;
    this.#allowUnsafe = allowUnsafe;
    this.#deps = deps;
  }

  async add(triggers: readonly Trigger[]): Promise<void> {
    for (const batch of batches(triggers)) {
      await this.#store.append(batch);
      this.arrived(batch);
    }
  }

  /**
   * The triggers are durable now. Their jobs follow; should it not come to that, the sweep makes them. A process that runs
   * no jobs tells the one that does.
   */
  arrived(triggers: readonly Trigger[]): void {
    if (this.#loops.size === 0) void this.#wake.publish(triggers);
    else this.#arrivedHere(triggers);
  }

  #arrivedHere(triggers: readonly Trigger[]): void {
    for (const { key, urgent } of triggers)
      this.#schedule.request(formatKey(key), urgent === true ? 'urgent' : 'ordinary');
    interrupt(triggers, (key) => this.#running.get(key)?.abort);
  }

  async work(
    handler: JobHandler,
    options: { readonly concurrency: number },
    signal: AbortSignal,
  ): Promise<void> {
    if (this.#closing.signal.aborted) throw queueClosed();
    const loop = this.#loop(handler, options.concurrency, AbortSignal.any([signal, this.#closing.signal]));
    this.#loops.add(loop);
    try {
      await loop;
    } finally {
      this.#loops.delete(loop);
    }
  }

  async state(): Promise<QueueState> {
    const [dirty, { delayed, active }, parked] = await Promise.all([
      this.#store.countDirty(),
      this.#schedule.counts(),
      this.#store.parked(),
    ]);
    // `waiting` includes the keys whose job is not created yet.
    return { waiting: Math.max(0, dirty - delayed - active), delayed, active, parked };
  }

  async unpark(key: string, how: 'run' | 'drop'): Promise<Unparked> {
    if (how === 'drop') return this.#store.drop(key);
    const found = await this.#store.unpark(key);
    if (found) await this.#schedule.ensure([key]);
    return found ? 'done' : 'not-parked';
  }

  check(): Promise<void> {
    return checkSafety(this.#link, this.#allowUnsafe, this.#deps.logger);
  }

  /** Stops the loops, aborts the running handlers' signals and waits for them. */
  async close(): Promise<void> {
    this.#closing.abort(queueClosed());
    for (const run of this.#running.values()) run.abort.abort(queueClosed());
    await Promise.allSettled([...this.#loops]);
  }

  async #loop(handler: JobHandler, concurrency: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const connection = this.#link.openWorkerConnection();
    const hear = (triggers: readonly Trigger[]) => {
      this.#arrivedHere(triggers);
      this.#becameDurable(triggers);
    };
    const unsubscribe = this.#wake.subscribe(hear, () => void this.#sweep());
    const workers: Worker[] = [];
    for (let left = concurrency; left > 0; left -= JOBS_OF_A_WORKER) {
      workers.push(this.#openWorker(connection, handler, Math.min(left, JOBS_OF_A_WORKER), signal));
    }
    await this.#sweepUntil(signal);
    unsubscribe();
    await this.#closeWorkers(workers);
    connection.disconnectAll();
  }

  #openWorker(connection: Redis, handler: JobHandler, concurrency: number, signal: AbortSignal): Worker {
    const worker = new Worker(this.#schedule.name, (job) => this.#run(job.id ?? '', handler), {
      connection,
      prefix: this.#link.prefix,
      concurrency,
      lockDuration: LOCK_MS,
      stalledInterval: STALLED_CHECK_MS,
      // A stalled job runs again without a limit. This class counts and parks keys that fail too often.
      maxStalledCount: Number.MAX_SAFE_INTEGER,
      runRetryDelay: RETRY_MS,
      skipVersionCheck: true,
      removeOnComplete: { count: 0 },
      removeOnFail: { count: 0 },
    });
    worker.on('completed', (job) => this.#schedule.request(job.id ?? '', 'finished'));
    worker.on('failed', (job) => this.#schedule.request(job?.id ?? '', 'finished'));
    worker.on('lockRenewalFailed', (keys) => this.#abort(keys));
    worker.on('error', (error) => {
      void this.#link.workerFailed(error);
      if (!signal.aborted) this.#link.noteFailure(error, 'worker error');
    });
    return worker;
  }

  /** The lock is lost: another process may run these keys now. */
  #abort(keys: readonly string[]): void {
    for (const key of keys) {
      const lost = new SyncError('ERR_QUEUE_UNREACHABLE', 'The lock of the job was lost.', {
        retriable: true,
      });
      this.#running.get(key)?.abort.abort(lost);
    }
  }

  async #run(key: string, handler: JobHandler): Promise<void> {
    // A run of this process that lost its lock may still go on.
    const earlier = this.#running.get(key);
    if (earlier !== undefined) {
      this.#abort([key]);
      await earlier.ended;
    }
    const abort = new AbortController();
    let end = () => {};
    const ended = new Promise<void>((resolve) => {
      end = resolve;
    });
    const run: Run = { abort, ended };
    this.#running.set(key, run);
    try {
      await this.#runTaken(key, handler, abort.signal);
    } finally {
      if (this.#running.get(key) === run) this.#running.delete(key);
      end();
    }
  }

  async #runTaken(key: string, handler: JobHandler, signal: AbortSignal): Promise<void> {
    const runToken = randomUUID();
    const taken = await this.#store.take(key, runToken);
    const [first] = taken?.triggers ?? [];
    if (taken === undefined || first === undefined) return;
    const { triggers, attempts } = taken;
    const outcome = await runJob(this.#deps, handler, { key: first.key, triggers, attempts }, signal);
    const now = this.#deps.clock.now();
    if (!(await this.#store.settle(key, runToken, triggers.length, outcome, now))) {
      this.#deps.logger.warn({ key }, 'another run replaced this one; its triggers run again');
    }
  }

  /** Finds keys without a job, and waits that began before the clock was set back, at the start and every few seconds. */
  async #sweepUntil(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#sweep();
      await this.#deps.clock.sleep(SWEEP_MS, signal).catch(() => {});
    }
  }

  async #sweep(): Promise<void> {
    // What earlier terms left; the keys themselves say what must run.
    void this.#schedule
      .forgetEarlier()
      .catch((error: unknown) => this.#link.noteFailure(error, 'jobs of earlier terms are still stored'));
    try {
      const found = await this.#schedule.sweep();
      if (found > 0) this.#deps.logger.info({ keys: found }, 'keys without a job were scheduled again');
      await this.#schedule.wakeRewound();
    } catch (error) {
      this.#link.noteFailure(error, 'keys without a job are not found until the next sweep');
    }
  }

  /** Waits for running jobs as long as they take, but not for a Redis that does not answer. */
  async #closeWorkers(workers: readonly Worker[]): Promise<void> {
    const gone = Promise.all(workers.map((worker) => worker.close()));
    gone.catch(() => {});
    // No new run begins: the workers are closing.
    while (this.#running.size > 0) await Promise.all([...this.#running.values()].map((run) => run.ended));
    const timer = new AbortController();
    const patience = this.#deps.clock.sleep(CLOSE_TIMEOUT_MS, timer.signal).catch(() => {});
    await Promise.race([gone.then(() => this.#schedule.idle()), patience]);
    timer.abort();
  }
}
