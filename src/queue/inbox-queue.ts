import type { Clock } from '../clock.js';
import { SyncError } from '../errors.js';
import { firstOf, withLinkedSignal } from '../linked-signal.js';
import type { Trigger } from '../model/trigger.js';
import { createNotifier } from '../notifier.js';
import { Outage } from '../repeat.js';
import { type KeyFailure, type KeyUpdate, PAGE, type TriggerStore } from './inbox.js';
import type { ParkedKey, Queue, QueueState, Scheduler, Unparked } from './queue.js';

/** What another process accepted is found after this time at the latest. */
const LOOK_MS = 5_000;
const PAUSE_AFTER_STORE_FAILURE_MS = 1_000;
/** Some hundred megabytes. While so many keys wait, what came after them stays in the store, and is read later. */
const MOST_WAITING = 100_000;
/** Some milliseconds of the store. */
const SAVED_AT_ONCE = 500;

export interface InboxQueueDeps {
  readonly clock: Clock;
  /** What the process that runs jobs hears of others. Calls back until the returned function is called. */
  readonly listen: (wake: () => void) => () => void;
  /** Says that this process, which runs no jobs, stored triggers. */
  readonly tell: () => void;
  readonly check: () => Promise<void>;
  /** Logs a failure of the store: as its outage, or else as what it means. */
  readonly noteFailure: (error: unknown, meaning: string) => void;
  readonly mostWaiting?: number;
}

/** Between a store and the agenda of the leader: reads what is not settled, and writes what becomes of it. */
export class InboxQueue implements Queue {
  readonly #store: TriggerStore;
  readonly #deps: InboxQueueDeps;
  readonly #mostWaiting: number;
  readonly #news = createNotifier();
  readonly #closing = new AbortController();
  readonly #outage = new Outage();
  #agenda: Scheduler | undefined;
  #working: Promise<void> | undefined;
  /** The place up to which triggers were read; undefined before all are read from the first one. */
  #at: number | undefined;
  /** The store may have triggers that were not read. */
  #isBehind = true;
  #reading: Promise<void> | undefined;
  /** What an earlier term knew of failures, until all is read for the first time. */
  #failures: ReadonlyMap<string, KeyFailure> | undefined;
  /** The IDs that the agenda has. */
  readonly #taken = new Set<string>();
  /** By key: what the store does not have yet. */
  readonly #unsaved = new Map<string, KeyUpdate>();
  readonly #unsavedNews = createNotifier();
  #saving = 0;

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
    if (this.#agenda === undefined) this.#deps.tell();
    else this.#look();
  }

  /** The store may have forgotten what it had: all of it is read again. */
  rewind(): void {
    this.#at = undefined;
    this.#look();
  }

  work(agenda: Scheduler, signal: AbortSignal, jobs: Promise<unknown>): Promise<void> {
    this.#working = this.#work(agenda, signal, jobs);
    return this.#working;
  }

  async #work(agenda: Scheduler, signal: AbortSignal, jobs: Promise<unknown>): Promise<void> {
    if (this.#closing.signal.aborted) throw queueClosed();
    // Another process may have run jobs since this one did.
    this.rewind();
    this.#failures = undefined;
    this.#taken.clear();
    this.#agenda = agenda;
    agenda.saveBy((update) => this.#noteUpdate(update));
    const over = new AbortController();
    const unlisten = this.#deps.listen(() => this.#look());
    try {
      jobs.catch(() => {}).finally(() => over.abort());
      await Promise.all([
        withLinkedSignal([signal, this.#closing.signal], (either) => this.#read(agenda, either)),
        withLinkedSignal([over.signal, this.#closing.signal], (either) => this.#save(either)),
      ]);
      // What cannot be stored now comes again.
      await this.#saveSome(Number.POSITIVE_INFINITY).catch(() => {});
    } finally {
      unlisten();
      agenda.saveBy(() => {});
      this.#unsaved.clear();
      this.#agenda = undefined;
    }
  }

  async state(): Promise<QueueState> {
    const agenda = this.#agenda;
    if (agenda !== undefined) {
      await this.#readNew(agenda);
      const { active, ...state } = agenda.state();
      return { ...state, active: active + this.#unsaved.size + this.#saving };
    }
    const [keys, parked] = await Promise.all([this.#store.keys(), this.#parked()]);
    return { waiting: Math.max(0, keys.length - parked.length), delayed: 0, active: 0, parked };
  }

  async unpark(key: string, how: 'run' | 'drop'): Promise<Unparked> {
    const agenda = this.#agenda;
    if (agenda !== undefined) {
      await this.#readNew(agenda);
      return agenda.unpark(key, how);
    }
    if (!(await this.#parked()).some((each) => each.key === key)) return 'not-parked';
    const triggers = how === 'drop' ? ((await this.#store.of([key])).get(key) ?? []) : [];
    if (triggers.some(({ trigger }) => trigger.order !== undefined)) return 'has-order';
    await this.#store.update({ key, settled: triggers.map(({ id }) => id), failure: 'none' });
    return 'done';
  }

  check(): Promise<void> {
    return this.#deps.check();
  }

  async close(): Promise<void> {
    this.#closing.abort(queueClosed());
    await this.#working?.catch(() => {});
  }

  #look(): void {
    this.#isBehind = true;
    this.#news.notify();
  }

  /** Keys that were parked in the last term. A trigger that came after the last run ended the parking. */
  async #parked(): Promise<readonly ParkedKey[]> {
    const failures = [...(await this.#store.failures())].filter(([, each]) => each.parkedSince !== undefined);
    const triggers = await this.#store.of(failures.map(([key]) => key));
    return failures
      .flatMap(([key, { attempts, error, upTo, parkedSince: since = '' }]) =>
        triggers.get(key)?.at(-1)?.seq === upTo ? [{ key, attempts, error, since }] : [],
      )
      .sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  async #read(agenda: Scheduler, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const now = this.#deps.clock.now();
      try {
        await this.#readNew(agenda);
        this.#outage.ends(now);
        await firstOf(signal, (either) => [this.#news.wait(either), this.#lookLater(either)]);
      } catch (error) {
        await this.#failed(error, 'the queue cannot be read', signal);
      }
    }
  }

  async #readNew(agenda: Scheduler): Promise<void> {
    while (this.#reading !== undefined || (this.#isBehind && agenda.waiting < this.#mostWaiting)) {
      this.#reading ??= this.#readPage(agenda).finally(() => {
        this.#reading = undefined;
      });
      await this.#reading;
    }
  }

  async #readPage(agenda: Scheduler): Promise<void> {
    this.#isBehind = false;
    try {
      this.#failures ??= await this.#store.failures();
      this.#at ??= -1;
      const from: number = this.#at;
      const { found, last } = await this.#store.after(from, PAGE);
      // The store may have forgotten what came before this place.
      const isAllThere = this.#at === from && last >= from;
      if (isAllThere) {
        const unknown = found.filter(({ id }) => !this.#taken.has(id));
        for (const { id } of unknown) this.#taken.add(id);
        agenda.take(unknown, this.#failures);
      }
      this.#at = isAllThere ? (found.at(-1)?.seq ?? from) : undefined;
      this.#isBehind ||= !isAllThere || found.length === PAGE;
      // From now on the agenda knows better.
      if (!this.#isBehind) this.#failures = new Map();
    } catch (error) {
      this.#isBehind = true;
      throw error;
    }
  }

  async #lookLater(signal: AbortSignal): Promise<void> {
    await this.#deps.clock.sleep(LOOK_MS, signal).then(
      () => {
        this.#isBehind = true;
      },
      () => {},
    );
  }

  #noteUpdate(update: KeyUpdate): void {
    this.#unsaved.set(update.key, together(this.#unsaved.get(update.key), update));
    this.#unsavedNews.notify();
  }

  async #save(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        while (this.#unsaved.size > 0) await this.#saveSome(SAVED_AT_ONCE);
        // There may be room for what was left in the store.
        if (this.#isBehind) this.#news.notify();
        await this.#unsavedNews.wait(signal);
      } catch (error) {
        await this.#failed(error, 'what became of jobs could not be stored; it is tried again', signal);
      }
    }
  }

  async #saveSome(most: number): Promise<void> {
    const updates = [...this.#unsaved.values()].slice(0, most);
    for (const { key } of updates) this.#unsaved.delete(key);
    this.#saving = updates.length;
    const answers = await Promise.allSettled(updates.map((update) => this.#store.update(update)));
    this.#saving = 0;
    const failed = updates.filter((_, at) => answers[at]?.status === 'rejected');
    for (const update of failed)
      this.#unsaved.set(update.key, together(update, this.#unsaved.get(update.key)));
    for (const { settled } of updates) for (const id of settled) this.#taken.delete(id);
    for (const { settled } of failed) for (const id of settled) this.#taken.add(id);
    for (const answer of answers) if (answer.status === 'rejected') throw answer.reason;
  }

  async #failed(error: unknown, meaning: string, signal: AbortSignal): Promise<void> {
    if (this.#outage.begins(this.#deps.clock.now())) this.#deps.noteFailure(error, meaning);
    await this.#deps.clock.sleep(PAUSE_AFTER_STORE_FAILURE_MS, signal).catch(() => {});
  }
}

/** The later one says what is known of failures, if it says anything. */
function together(earlier: KeyUpdate | undefined, later: KeyUpdate | undefined): KeyUpdate {
  const failure = later?.failure ?? earlier?.failure;
  return {
    key: later?.key ?? earlier?.key ?? '',
    settled: [...(earlier?.settled ?? []), ...(later?.settled ?? [])],
    ...(failure === undefined ? {} : { failure }),
  };
}

function queueClosed(): SyncError {
  return new SyncError('ERR_QUEUE_UNREACHABLE', 'The queue is closed.', { retriable: true });
}

export function unsafe(message: string): SyncError {
  return new SyncError('ERR_QUEUE_UNSAFE', message, { retriable: false });
}
