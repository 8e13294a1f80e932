import { isoInstant } from '../../clock.js';
import { messageOf, SyncError } from '../../errors.js';
import { firstOf } from '../../linked-signal.js';
import { formatKey } from '../../model/key.js';
import type { Job, Trigger } from '../../model/trigger.js';
import { createNotifier } from '../../notifier.js';
import { Outage } from '../../repeat.js';
import type { JobHandler, Queue, QueueState, Unparked } from '../queue.js';
import { interrupt, type JobOutcome, queueClosed, type RunDeps, runJob } from '../run-job.js';
import { KeyTable } from './key-table.js';
import type { Check, StateFile } from './state-file.js';

// A timer of Node holds at most 24.8 days; looking once an hour costs nothing.
const MAX_SLEEP_MS = 3_600_000;
const PAUSE_AFTER_STORE_FAILURE_MS = 1000;

interface Taken {
  readonly key: string;
  readonly job: Job;
  /** The newest trigger the run knows of. */
  readonly lastSeq: number;
}

/**
 * The queue in one process, over the tables `triggers` and `keys`. Only memory (and the temporary table `running`) has
 * the keys that run. After a crash the triggers in the table make these keys run again.
 */
export class EmbeddedQueue implements Queue {
  readonly #deps: RunDeps;
  readonly #file: StateFile;
  readonly #table: KeyTable;
  readonly #notifier = createNotifier();
  readonly #running = new Map<string, AbortController>();
  readonly #loops = new Set<Promise<void>>();
  readonly #closing = new AbortController();

  constructor(file: StateFile, deps: RunDeps) {
    this.#file = file;
    this.#deps = deps;
    this.#table = new KeyTable(file);
  }

  /** The same queue, which takes and settles nothing once `check` throws within the transaction. */
  fencedBy(check: Check): Queue {
    return {
      add: (triggers) => this.add(triggers),
      work: (handler, options, signal) => this.work(handler, options, signal, check),
      state: () => this.state(),
      unpark: (key, how) => this.unpark(key, how, check),
      check: () => this.check(),
      close: () => this.close(),
    };
  }

  async add(triggers: readonly Trigger[]): Promise<void> {
    if (triggers.length === 0) return;
    const onDurable = await this.#file.write(() => this.append(triggers));
    onDurable();
  }

  /**
   * Call it inside a write, and call what it returns once the write is durable. A run begins as soon as the triggers are
   * committed: only who sent them waits for the disk. If that fails, the sender sends them again.
   */
  append(triggers: readonly Trigger[]): () => void {
    if (this.#closing.signal.aborted) throw queueClosed();
    for (const trigger of triggers) {
      this.#table.append(formatKey(trigger.key), trigger.urgent === true, JSON.stringify(trigger));
    }
    const runs = this.#runsOf(triggers);
    // After the turn of the commit, which may fail.
    queueMicrotask(() => this.#notifier.notify());
    return () => interrupt(triggers, (key) => runs.get(key));
  }

  /** Of all keys with this prefix. Call it inside a read. */
  triggersOf(prefix: string): readonly Trigger[] {
    return this.#table.triggersOf(prefix);
  }

  async work(
    handler: JobHandler,
    options: { readonly concurrency: number },
    signal: AbortSignal,
    check?: Check,
  ): Promise<void> {
    if (this.#closing.signal.aborted) throw queueClosed();
    const stop = AbortSignal.any([signal, this.#closing.signal]);
    const loop = this.#loop(handler, options.concurrency, stop, check);
    this.#loops.add(loop);
    try {
      await loop;
    } finally {
      this.#loops.delete(loop);
    }
  }

  async state(): Promise<QueueState> {
    return this.#file.read(() => {
      const { due, delayed } = this.#table.count(this.#deps.clock.now());
      return { waiting: due, delayed, active: this.#running.size, parked: this.#table.parked() };
    });
  }

  async unpark(key: string, how: 'run' | 'drop', check?: Check): Promise<Unparked> {
    if (how === 'drop') return this.#file.write(() => this.#table.drop(key), check);
    const found = await this.#file.write(() => this.#table.unpark(key), check);
    if (found) this.#notifier.notify();
    return found ? 'done' : 'not-parked';
  }

  async check(): Promise<void> {
    if (!this.#file.read(() => this.#file.isDurable())) {
      throw new SyncError(
        'ERR_QUEUE_UNSAFE',
        'the file system of the state directory does not support a durable write-ahead log; put state.directory on a local disk.',
        { retriable: false },
      );
    }
    await this.#file.write(() => {});
  }

  /** Stops the loops, aborts the running handlers' signals and waits for them. */
  async close(): Promise<void> {
    this.#closing.abort(queueClosed());
    for (const running of this.#running.values()) running.abort(queueClosed());
    await Promise.allSettled([...this.#loops]);
  }

  async #loop(handler: JobHandler, concurrency: number, signal: AbortSignal, check?: Check): Promise<void> {
    const runs = new Set<Promise<void>>();
    const outage = new Outage();
    while (!signal.aborted) {
      const now = this.#deps.clock.now();
      try {
        const free = concurrency - runs.size;
        const found = free > 0 ? this.#take(now, free, check) : [];
        if (free > 0) outage.ends(now);
        for (const taken of found) {
          const run = this.#run(taken, handler, signal, check).finally(() => {
            runs.delete(run);
            this.#notifier.notify();
          });
          runs.add(run);
        }
        await this.#waitForWork(runs.size < concurrency ? this.#nextDueInMs(now) : undefined, signal);
      } catch (error) {
        if (outage.begins(now))
          this.#deps.logger.error({ error: messageOf(error) }, 'the queue cannot be read');
        await this.#pause(signal);
      }
    }
    await Promise.all(runs);
  }

  /** The current runs, which do not know the triggers. A run may begin before the triggers are on disk. */
  #runsOf(triggers: readonly Trigger[]): ReadonlyMap<string, AbortController> {
    const keys = triggers.map((trigger) => formatKey(trigger.key));
    return new Map(
      keys.flatMap((key): [string, AbortController][] => {
        const run = this.#running.get(key);
        return run === undefined ? [] : [[key, run]];
      }),
    );
  }

  #take(now: number, most: number, check?: Check): Taken[] {
    return this.#file.read(() => {
      check?.();
      const taken = this.#table.due(now, most).flatMap(({ key, attempts }): Taken[] => {
        const { triggers, lastSeq } = this.#table.triggers(key);
        const [first] = triggers;
        return first === undefined ? [] : [{ key, lastSeq, job: { key: first.key, triggers, attempts } }];
      });
      for (const { key } of taken) {
        this.#table.start(key);
        this.#running.set(key, new AbortController());
      }
      return taken;
    });
  }

  async #run(taken: Taken, handler: JobHandler, stop: AbortSignal, check?: Check): Promise<void> {
    const abort = this.#running.get(taken.key) ?? new AbortController();
    try {
      const outcome = await runJob(this.#deps, handler, taken.job, abort.signal);
      await this.#file.write(() => this.#settle(taken, outcome), check);
    } catch (error) {
      // The key stays as it was before the run, and runs again.
      this.#deps.logger.error(
        { key: taken.key, error: messageOf(error) },
        'the outcome of a job could not be stored; the job runs again',
      );
      await this.#pause(stop);
    } finally {
      this.#running.delete(taken.key);
      this.#table.stop(taken.key);
    }
  }

  #settle({ key, lastSeq }: Taken, outcome: JobOutcome): void {
    const now = this.#deps.clock.now();
    switch (outcome.kind) {
      case 'done':
        this.#table.done(key, lastSeq);
        return;
      case 'retry':
        this.#table.delay(key, lastSeq, { now, afterMs: outcome.afterMs });
        return;
      case 'failed':
        if (outcome.exhausted && !this.#table.hasNewer(key, lastSeq)) {
          this.#table.park(key, outcome.attempts, outcome.error, isoInstant(this.#deps.clock));
        } else {
          // Triggers that came during the last run were not tried: the count begins again.
          const attempts = outcome.exhausted ? 0 : outcome.attempts;
          const { afterMs, error } = outcome;
          this.#table.delay(key, lastSeq, { now, afterMs }, { attempts, error });
        }
    }
  }

  /** Of the keys that were not due at `now`. */
  #nextDueInMs(now: number): number | undefined {
    const dueAt = this.#file.read(() => this.#table.nextDueAt(now));
    if (dueAt === undefined) return undefined;
    return Math.min(Math.max(dueAt - this.#deps.clock.now(), 1), MAX_SLEEP_MS);
  }

  /** Until the next notification, the end of `ms` (if given), or the end of the signal. */
  async #waitForWork(ms: number | undefined, signal: AbortSignal): Promise<void> {
    if (ms === undefined) return this.#notifier.wait(signal);
    await firstOf(signal, (either) => [
      this.#notifier.wait(either),
      this.#deps.clock.sleep(ms, either).catch(() => {}),
    ]);
  }

  async #pause(signal: AbortSignal): Promise<void> {
    await this.#deps.clock.sleep(PAUSE_AFTER_STORE_FAILURE_MS, signal).catch(() => {});
  }
}
