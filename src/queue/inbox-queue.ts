import { isoInstant } from '../clock.js';
import { SyncError } from '../errors.js';
import { firstOf, withLinkedSignal } from '../linked-signal.js';
import type { Trigger } from '../model/trigger.js';
import { createNotifier } from '../notifier.js';
import { Outage } from '../repeat.js';
import { type KeyFailure, type KeyUpdate, PAGE, type TriggerStore, type Unsettled } from './inbox.js';
import type { JobHandler, Queue, QueueState, Unparked } from './queue.js';
import { type End, type FailedKey, type QueuedKey, QueuedKeys, toParked } from './queued-keys.js';
import { interrupt, type JobOutcome, queueClosed, type RunDeps, runJob } from './run-job.js';

/** What another process accepted is found after this time at the latest. */
const LOOK_MS = 5_000;
const PAUSE_AFTER_STORE_FAILURE_MS = 1_000;
/** Some tens of megabytes. While so many keys wait, what came after them stays in the store, and is read later. */
const MOST_WAITING = 100_000;

export interface InboxQueueDeps extends RunDeps {
  /** What the process that runs jobs hears of others. Calls back until the returned function is called. */
  readonly listen: (wake: () => void) => () => void;
  /** Says that this process, which runs no jobs, stored triggers. */
  readonly tell: () => void;
  /** What came since the jobs began to run. */
  readonly onArrival?: ((triggers: readonly Trigger[]) => void) | undefined;
  readonly check: () => Promise<void>;
  /** Logs a failure of the store: as its outage, or else as what it means. */
  readonly noteFailure: (error: unknown, meaning: string) => void;
  readonly mostWaiting?: number;
}

interface Taken {
  readonly entry: QueuedKey;
  readonly abort: AbortController;
  readonly triggers: readonly Unsettled[];
}

/**
 * The queue of a process, in memory, over the triggers that its store has: order, merging by key, backoff and parking. The
 * process that runs jobs knows each key that has unsettled triggers. Another process asks the store for each question.
 */
export class InboxQueue implements Queue {
  readonly #store: TriggerStore;
  readonly #deps: InboxQueueDeps;
  readonly #notifier = createNotifier();
  readonly #keys = new QueuedKeys();
  readonly #closing = new AbortController();
  readonly #loops = new Set<Promise<void>>();
  readonly #mostWaiting: number;
  readonly #outage = new Outage();
  /** The place up to which triggers were read; undefined before all are read from the first one. */
  #at: number | undefined;
  /** The store may have triggers that were not read. */
  #isBehind = true;
  #hasReadAll = false;
  #reading: Promise<void> | undefined;

  constructor(store: TriggerStore, deps: InboxQueueDeps) {
    this.#store = store;
    this.#deps = deps;
    this.#mostWaiting = deps.mostWaiting ?? MOST_WAITING;
  }

  async add(triggers: readonly Trigger[]): Promise<void> {
    if (this.#closing.signal.aborted) throw queueClosed();
    if (triggers.length === 0) return;
    await this.#store.append(triggers);
    this.arrived();
  }

  /** The store has new triggers of this process. */
  arrived(): void {
    if (this.#isAtWork) this.#look();
    else this.#deps.tell();
  }

  /** The store may have forgotten what it had: all of it is read again. */
  rewind(): void {
    this.#at = undefined;
    this.#look();
  }

  async work(
    handler: JobHandler,
    { concurrency }: { readonly concurrency: number },
    signal: AbortSignal,
  ): Promise<void> {
    if (this.#closing.signal.aborted) throw queueClosed();
    const stop = AbortSignal.any([signal, this.#closing.signal]);
    if (stop.aborted) return;
    if (!this.#isAtWork) {
      // Another process may have run jobs since this one did.
      this.rewind();
      this.#keys.clear();
    }
    const unlisten = this.#deps.listen(() => this.#look());
    const loop = this.#loop(handler, concurrency, stop).finally(unlisten);
    this.#loops.add(loop);
    try {
      await loop;
    } finally {
      this.#loops.delete(loop);
    }
  }

  async state(): Promise<QueueState> {
    if (this.#isAtWork) {
      await this.#readNew();
      return this.#keys.state();
    }
    const [keys, failed] = await Promise.all([this.#store.keys(), this.#failed()]);
    const parked = toParked(failed);
    return { waiting: Math.max(0, keys.length - parked.length), delayed: 0, active: 0, parked };
  }

  async unpark(key: string, how: 'run' | 'drop'): Promise<Unparked> {
    if (!(await this.#isParked(key))) return 'not-parked';
    const triggers = how === 'drop' ? ((await this.#store.of([key])).get(key) ?? []) : [];
    if (triggers.some(({ trigger }) => trigger.order !== undefined)) return 'has-order';
    const entry = this.#keys.get(key);
    // A new trigger may have come meanwhile.
    if (this.#isAtWork && entry?.parkedSince === undefined) return 'not-parked';
    await this.#store.update({ key, settled: triggers.map(({ id }) => id), failure: 'none' });
    if (entry?.parkedSince !== undefined)
      if (how === 'drop') this.#keys.drop(entry);
      else this.#keys.unpark(entry);
    this.#notifier.notify();
    return 'done';
  }

  check(): Promise<void> {
    return this.#deps.check();
  }

  /** Stops the loops, aborts the running handlers' signals and waits for them. */
  async close(): Promise<void> {
    this.#closing.abort(queueClosed());
    this.#keys.abortAll(queueClosed());
    await Promise.allSettled([...this.#loops]);
  }

  get #isAtWork(): boolean {
    return this.#loops.size > 0;
  }

  #look(): void {
    this.#isBehind = true;
    this.#notifier.notify();
  }

  async #isParked(key: string): Promise<boolean> {
    if (!this.#isAtWork) return (await this.#failed()).get(key)?.parkedSince !== undefined;
    await this.#readNew();
    return this.#keys.get(key)?.parkedSince !== undefined;
  }

  /** What the store knows of failures. A trigger that came after the last run ended the parking. */
  async #failed(): Promise<ReadonlyMap<string, FailedKey>> {
    const failures = await this.#store.failures();
    const parked = [...failures].flatMap(([key, { parkedSince }]) =>
      parkedSince === undefined ? [] : [key],
    );
    const triggers = await this.#store.of(parked);
    const failed = new Map<string, FailedKey>();
    for (const [key, failure] of failures) {
      const last = triggers.get(key)?.at(-1);
      const { parkedSince, ...ofRuns } = failure;
      if (parkedSince === undefined) failed.set(key, { ...failure, newest: -1 });
      else if (last?.id === failure.upTo) failed.set(key, { ...failure, newest: last.seq });
      else failed.set(key, { ...ofRuns, attempts: 0, newest: -1 });
    }
    return failed;
  }

  async #readNew(): Promise<void> {
    while (this.#reading !== undefined || (this.#isBehind && this.#keys.waiting < this.#mostWaiting)) {
      this.#reading ??= this.#readPage().finally(() => {
        this.#reading = undefined;
      });
      await this.#reading;
    }
  }

  async #readPage(): Promise<void> {
    this.#isBehind = false;
    try {
      if (this.#at === undefined) {
        this.#hasReadAll = false;
        this.#keys.begin(await this.#failed());
        this.#at = -1;
      }
      const from: number = this.#at;
      const { found, last } = await this.#store.after(from, PAGE);
      // The store may have forgotten what came before this place.
      const isAllThere = this.#at === from && last >= from;
      if (isAllThere) this.#arrive(found);
      this.#at = isAllThere ? (found.at(-1)?.seq ?? from) : undefined;
      this.#isBehind ||= !isAllThere || found.length === PAGE;
      this.#hasReadAll ||= !this.#isBehind;
    } catch (error) {
      this.#isBehind = true;
      throw error;
    }
  }

  #arrive(found: readonly Unsettled[]): void {
    const added = this.#keys.add(found);
    if (!this.#hasReadAll) return;
    interrupt(added, (key) => this.#keys.get(key)?.run);
    this.#deps.onArrival?.(added);
  }

  async #loop(handler: JobHandler, concurrency: number, signal: AbortSignal): Promise<void> {
    const runs = new Set<Promise<void>>();
    while (!signal.aborted) {
      const now = this.#deps.clock.now();
      try {
        await this.#readNew();
        for (const taken of await this.#take(concurrency - runs.size, signal)) {
          const run = this.#run(taken, handler, signal).finally(() => {
            runs.delete(run);
            this.#notifier.notify();
          });
          runs.add(run);
        }
        this.#outage.ends(now);
        await firstOf(signal, (either) => [this.#notifier.wait(either), this.#lookLater(either)]);
      } catch (error) {
        await this.#failedStore(error, 'the queue cannot be read', signal);
      }
    }
    await Promise.all(runs);
  }

  async #lookLater(signal: AbortSignal): Promise<void> {
    await this.#deps.clock.sleep(LOOK_MS, signal).then(
      () => {
        this.#isBehind = true;
      },
      () => {},
    );
  }

  /** The next keys, with all their triggers. If it rejects, they wait as before. */
  async #take(most: number, signal: AbortSignal): Promise<readonly Taken[]> {
    if (signal.aborted) return [];
    const taken = this.#keys.take(most).map((entry) => {
      // From now on an order ends the run: the triggers that are read may lack it.
      const abort = new AbortController();
      entry.run = abort;
      return { entry, abort };
    });
    if (taken.length === 0) return [];
    try {
      const found = await this.#store.of(taken.map(({ entry }) => entry.text));
      return taken.flatMap(({ entry, abort }) => {
        const triggers = found.get(entry.text) ?? [];
        const last = triggers.at(-1);
        if (last === undefined) {
          this.#keys.end(entry, { kind: 'done' });
          return [];
        }
        entry.newest = Math.max(entry.newest, last.seq);
        return { entry, abort, triggers };
      });
    } catch (error) {
      for (const { entry } of taken) this.#keys.end(entry, { kind: 'again' });
      throw error;
    }
  }

  async #run({ entry, abort, triggers }: Taken, handler: JobHandler, stop: AbortSignal): Promise<void> {
    const [first] = triggers;
    if (first === undefined) return;
    const { key } = first.trigger;
    const job = { key, triggers: triggers.map(({ trigger }) => trigger), attempts: entry.attempts };
    const outcome = await runJob(this.#deps, handler, job, abort.signal);
    // A key that asks to run again at once must not keep the event loop from anything else.
    if (outcome.kind === 'retry') await new Promise((resolve) => setImmediate(resolve));
    const update = this.#toUpdate(entry, triggers, outcome);
    try {
      if (update !== undefined) await this.#store.update(update);
    } catch (error) {
      await this.#failedStore(error, 'the outcome of a job could not be stored; the job runs again', stop);
      this.#keys.end(entry, { kind: 'again' });
      return;
    }
    this.#keys.end(entry, this.#endOf(entry, update, outcome));
  }

  /** Nothing is stored of a job that waits. */
  #toUpdate(entry: QueuedKey, triggers: readonly Unsettled[], outcome: JobOutcome): KeyUpdate | undefined {
    const key = entry.text;
    if (outcome.kind === 'retry') return undefined;
    if (outcome.kind === 'done') return { key, settled: triggers.map(({ id }) => id), failure: 'none' };
    const { exhausted, error } = outcome;
    // Triggers that came during the last run were not tried: the count begins again.
    const attempts = exhausted && entry.isFresh ? 0 : outcome.attempts;
    const parked = exhausted && !entry.isFresh ? { parkedSince: isoInstant(this.#deps.clock) } : {};
    return { key, settled: [], failure: { attempts, error, upTo: triggers.at(-1)?.id ?? '', ...parked } };
  }

  #endOf(entry: QueuedKey, update: KeyUpdate | undefined, outcome: JobOutcome): End {
    if (outcome.kind === 'done') return outcome;
    const failure: KeyFailure | undefined = update?.failure === 'none' ? undefined : update?.failure;
    // A trigger that came while this was stored unparks the key at once.
    if (failure?.parkedSince !== undefined)
      return entry.isFresh ? { kind: 'again', attempts: 0 } : { kind: 'parked', failure };
    const attempts = failure === undefined ? {} : { attempts: failure.attempts };
    if (entry.isFreshUrgent || outcome.afterMs <= 0) return { kind: 'again', ...attempts };
    return { kind: 'delayed', wake: this.#wakeLater(entry, outcome.afterMs), ...attempts };
  }

  #wakeLater(entry: QueuedKey, afterMs: number): AbortController {
    const wake = new AbortController();
    const ended = () => {
      this.#keys.wake(entry, wake);
      this.#notifier.notify();
    };
    withLinkedSignal([wake.signal, this.#closing.signal], (stop) =>
      this.#deps.clock.sleep(Math.max(1, afterMs), stop),
    ).then(ended, ended);
    return wake;
  }

  async #failedStore(error: unknown, meaning: string, signal: AbortSignal): Promise<void> {
    if (this.#outage.begins(this.#deps.clock.now())) this.#deps.noteFailure(error, meaning);
    await this.#deps.clock.sleep(PAUSE_AFTER_STORE_FAILURE_MS, signal).catch(() => {});
  }
}

export function unsafe(message: string): SyncError {
  return new SyncError('ERR_QUEUE_UNSAFE', message, { retriable: false });
}
