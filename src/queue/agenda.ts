import { setMaxListeners } from 'node:events';
import { SyncError } from '../errors.js';
import { untilAborted, withLinkedSignal } from '../linked-signal.js';
import { formatKey, type Key } from '../model/key.js';
import type { Job, Trigger } from '../model/trigger.js';
import { DelayedRun, type Ended, AgendaEntry as Entry, isAwaited } from './agenda-entry.js';
import { type AgendaLimits, Places } from './agenda-places.js';
import { DurableJobs } from './durable-jobs.js';
import type { AgendaHandler, FollowUps } from './follow-ups.js';
import { byKey, mergeTriggers } from './merge-triggers.js';
import type { JobResult, Queue, QueueState, Unparked } from './queue.js';
import { ReadyEntries } from './ready-entries.js';
import { interrupt, isInterrupted, type JobOutcome, type RunDeps, runJob, runOwned } from './run-job.js';
import { TurnLimit } from './turn-limit.js';
import type { IsKnown } from './turns.js';

/** A retry this soon belongs to the same run for its waiters; the others come back later. */
const SOON_MS = 100;
const NEVER = new AbortController().signal;

/**
 * The work to do, in memory: key → triggers. Every update of the state adds the keys that it touches, with the triggers
 * that caused it, in the same turn. A run takes all triggers of its key, and a key has at most one run at a time. Urgent
 * keys go first and have places of their own; providers and clients take turns. A failed run is tried again with growing delays. A crash forgets the
 * agenda: the durable queue has every trigger from outside that is not settled, and a start compares everything.
 */
export class Agenda {
  readonly #deps: RunDeps;
  readonly #limits: AgendaLimits;
  readonly #places: Places;
  readonly #entries = new Map<string, Entry>();
  readonly #durable = new DurableJobs();
  readonly #ready: ReadyEntries;
  readonly #turn = new TurnLimit(() => this.#next());
  #handler: AgendaHandler | undefined;
  #lost = NEVER;
  /** Keys that are run after a while. */
  readonly #later = new Set<string>();
  readonly #closing = new AbortController();
  #isStopped = false;
  #idle: (() => void) | undefined;

  constructor(limits: AgendaLimits, deps: RunDeps, isKnown: IsKnown = () => true) {
    this.#limits = limits;
    this.#places = new Places(limits);
    this.#ready = new ReadyEntries(isKnown);
    this.#deps = deps;
    // Every wait listens to it: more than ten is no leak.
    setMaxListeners(0, this.#closing.signal);
  }

  async add(triggers: readonly Trigger[]): Promise<void> {
    for (const done of this.#put(triggers)) done.catch(() => {});
  }

  note(triggers: readonly Trigger[]): void {
    for (const { key, triggers: added } of byKey(triggers)) {
      const entry = this.#entry(key);
      entry.triggers = mergeTriggers(entry.triggers, added);
    }
  }

  sees(key: Key, since: number): boolean {
    const entry = this.#entries.get(formatKey(key));
    if (entry === undefined) return false;
    return (entry.isRequested && entry.wake === undefined) || (entry.isRunning && entry.startedAt > since);
  }

  /** One run for all that ask for it before it begins. */
  addLater(trigger: Trigger, afterMs: number): void {
    const text = formatKey(trigger.key);
    if (this.#later.has(text)) return;
    this.#later.add(text);
    const add = () => void (this.#later.delete(text) && this.add([trigger]));
    this.#deps.clock.sleep(afterMs, this.#closing.signal).then(add, () => {});
  }

  /** Runs the jobs of the durable queue, until the signal aborts; then waits for what runs. */
  workDurable(queue: Pick<Queue, 'work'>, signal: AbortSignal): Promise<void> {
    return queue.work((job, stop) => this.run(job, stop), { concurrency: this.#limits.durable }, signal);
  }

  /**
   * Runs a durable job and waits for everything that follows from it. Resolves with `retry` where that is to be tried
   * again, and as soon as the key has new triggers: the job begins again with them.
   */
  async run(job: Job, signal: AbortSignal): Promise<JobResult> {
    const text = formatKey(job.key);
    const durable = this.#durable.begin(text, job);
    this.#interrupt(job.triggers);
    try {
      const blocker = this.#durable.takeBlocker(text, durable);
      // Nothing changes for this job as long as the key that it waits for fails.
      if (blocker !== undefined) this.#requireIdle(blocker);
      const ended = await this.#own(this.#entry(job.key), job, signal);
      if ('result' in ended) return ended.result;
      if (isInterrupted(signal)) return { kind: 'retry', afterMs: 0 };
      return await Promise.race([durable.outdated, ended.followUps.then(() => ({ kind: 'done' }) as const)]);
    } catch (error) {
      if (!(error instanceof DelayedRun)) throw error;
      this.#durable.block(text, durable, error);
      return { kind: 'retry', afterMs: error.afterMs };
    } finally {
      this.#durable.end(text);
    }
  }

  /** Throws while a run of the key is asked for. It does not wait: what follows from that run may wait for this job. */
  #requireIdle(text: string): void {
    const entry = this.#entries.get(text);
    if (entry?.isRunning || entry?.isRequested)
      throw this.#delayed(entry, entry.wakeAt - this.#deps.clock.now());
  }

  #own(entry: Entry, { triggers, attempts }: Job, signal: AbortSignal): Promise<Ended> {
    return new Promise((resolve, reject) => {
      entry.owners.push({
        signal,
        triggers,
        attempts,
        answer: (result) => resolve({ result }),
        resolve: (followUps) => resolve({ followUps }),
        reject,
      });
      if (this.#isStopped) this.#putOff(entry);
      else if (triggers.some(({ urgent }) => urgent === true)) this.#wantUrgently(entry);
      else this.#want(entry);
    });
  }

  /**
   * Triggers that became durable just now: a run of their key that is under way need not end before the next one knows
   * them, and a job that only waits begins again. A job that has them already goes on. Urgent ones do not wait for the
   * durable queue: where it has many jobs under way, or the key's own job waits for a place, they are added here too.
   */
  becameDurable(triggers: readonly Trigger[]): void {
    const fresh = triggers.filter((each) => !this.#durable.knows(formatKey(each.key), each));
    this.#interrupt(fresh);
    const isBusy = this.#durable.size >= this.#limits.durable / 2;
    const urgent: Trigger[] = [];
    for (const trigger of fresh) {
      const text = formatKey(trigger.key);
      const entry = this.#entries.get(text);
      const isWaiting = this.#durable.has(text) ? entry !== undefined && entry.owners.length > 0 : isBusy;
      if (entry?.isRunning) entry.triggers = mergeTriggers(entry.triggers, [trigger]);
      else if (trigger.urgent === true && isWaiting) urgent.push(trigger);
      this.#durable.outdate(text);
    }
    void this.add(urgent);
  }

  /** Runs what is added, until the signal aborts; then waits for what runs. `lost` ends what runs. */
  async work(handler: AgendaHandler, signal: AbortSignal, lost: AbortSignal = NEVER): Promise<void> {
    this.#handler = handler;
    this.#lost = lost;
    setMaxListeners(0, lost);
    // One listener for all runs: adding one costs as much as there are others. No run begins after it.
    const endAll = () => {
      this.#handler = undefined;
      for (const { stop } of this.#entries.values()) stop?.abort(lost.reason);
    };
    lost.addEventListener('abort', endAll, { once: true });
    if (lost.aborted) endAll();
    this.#next();
    await untilAborted(signal);
    this.#handler = undefined;
    this.#isStopped = true;
    // The owner keeps the triggers of a run that has not begun; the next start compares everything.
    for (const entry of this.#entries.values()) this.#putOff(entry);
    if (this.#places.inUse > 0)
      await new Promise<void>((resolve) => {
        this.#idle = resolve;
      });
    this.#closing.abort(new SyncError('ERR_INTERNAL', 'the agenda is closed', { retriable: true }));
    for (const entry of this.#entries.values()) this.#putOff(entry);
  }

  /** Consul cannot keep up with the writes. */
  overloaded(): void {
    this.#places.overloaded();
  }

  /** Ends all waits for a next try. */
  hurry(): void {
    for (const { wake } of this.#entries.values()) wake?.abort();
  }

  /** As `Queue.unpark`, for the keys that `state` lists as parked. A durable job that waits for a dropped key goes on. */
  async unpark(text: string, how: 'run' | 'drop'): Promise<Unparked> {
    const entry = this.#entries.get(text);
    if (entry === undefined || entry.attempts < this.#deps.backoff.attempts) return 'not-parked';
    const unparked = entry.unpark(how);
    this.#forget(entry);
    return unparked;
  }

  /** `parked`: keys that failed often; they are still tried again, about once a minute. */
  state(): QueueState {
    const all = [...this.#entries.values()];
    const count = (is: (entry: Entry) => boolean) => all.filter(is).length;
    return {
      waiting: this.#ready.size,
      delayed: count(({ isRequested, wake }) => isRequested && wake !== undefined),
      active: count(({ isRunning }) => isRunning),
      parked: all
        .filter(({ attempts }) => attempts >= this.#deps.backoff.attempts)
        .map((each) => each.toParked()),
    };
  }

  #put(triggers: readonly Trigger[]): readonly Promise<unknown>[] {
    this.#interrupt(triggers);
    return [...byKey(triggers)].map(({ key, triggers: added }) => {
      const entry = this.#entry(key);
      const known = entry.triggers.length;
      entry.triggers = mergeTriggers(entry.triggers, added);
      // A trigger that the last try knew does not end the wait for the next one.
      const isUrgent =
        entry.triggers.slice(known).some(({ urgent }) => urgent) ||
        added.some(
          ({ urgent, cause }) =>
            urgent && (entry.wake === undefined || Date.parse(cause.receivedAt) >= entry.startedAt),
        );
      if (isUrgent) this.#wantUrgently(entry);
      else this.#want(entry);
      return this.#endOf(entry);
    });
  }

  /** Resolves with what follows from the entry's next run. */
  #endOf(entry: Entry): Promise<unknown> {
    return new Promise((resolve, reject) => {
      // A job that waited for a key that is delayed for long would hold a place of the queue as long.
      const leftMs = entry.wake?.signal.aborted === false ? entry.wakeAt - this.#deps.clock.now() : 0;
      if (leftMs > SOON_MS) reject(this.#delayed(entry, leftMs));
      else entry.waiters.push({ resolve, reject });
    });
  }

  #delayed({ text }: Entry, afterMs: number): DelayedRun {
    return new DelayedRun(text, Math.max(afterMs, SOON_MS));
  }

  #interrupt(triggers: readonly Trigger[]): void {
    interrupt(triggers, (text) => this.#entries.get(text)?.stop);
  }

  #entry(key: Key): Entry {
    const text = formatKey(key);
    const known = this.#entries.get(text);
    if (known !== undefined) return known;
    const entry = new Entry(key, text);
    this.#entries.set(text, entry);
    return entry;
  }

  #want(entry: Entry): void {
    entry.isRequested = true;
    this.#enqueue(entry);
  }

  /** An urgent trigger waits out no delay. */
  #wantUrgently(entry: Entry): void {
    entry.isUrgent = true;
    entry.wake?.abort();
    this.#want(entry);
  }

  #enqueue(entry: Entry): void {
    if (entry.isRunning || !entry.isRequested || entry.wake !== undefined) return;
    this.#ready.put(entry);
    // After the turn: all keys that a state update adds are known before the first of them runs.
    queueMicrotask(() => this.#next());
  }

  #next(): void {
    while (this.#handler !== undefined && !this.#turn.isReached) {
      const next = this.#ready.take(this.#places);
      if (next === undefined) return;
      this.#turn.begin();
      void this.#start(next.entry, next.leave, this.#handler);
    }
  }

  async #start(entry: Entry, leave: () => void, handler: AgendaHandler): Promise<void> {
    const taken = entry.takeRun(this.#deps.clock.now());
    const { owners, waiters, isUrgent } = taken;
    let noted = taken.triggers;
    // Orders are for clients. A signal for each other run costs as much as its requests.
    entry.stop = entry.key.kind === 'client' ? new AbortController() : undefined;
    const stop = entry.stop?.signal ?? this.#lost;
    const triggers = owners.reduce<readonly Trigger[]>(
      (all, owner) => mergeTriggers(all, owner.triggers),
      noted,
    );
    const attempts = Math.max(entry.attempts, ...owners.map((owner) => owner.attempts));
    const followUps: Promise<unknown>[] = [];
    const follow: FollowUps = {
      add: async (next) => {
        const started = this.#put(next);
        for (const each of started) each.catch(() => {});
        if (next.some(isAwaited)) followUps.push(...started);
      },
      note: (next) => this.note(next),
      addLater: (next, afterMs) => this.addLater(next, afterMs),
      late: () => {
        const { triggers: late } = entry;
        noted = mergeTriggers(noted, late);
        // The run uses up a note; a trigger that asks for a run gets one.
        if (!entry.isRequested) entry.triggers = [];
        return late;
      },
      sees: (key, since) => this.sees(key, since),
    };
    const job: Job = { key: entry.key, triggers, attempts };
    let failure: unknown;
    const run = (each: Job, until: AbortSignal) =>
      handler(each, until, follow).catch((error: unknown) => {
        failure = error;
        throw error;
      });
    const outcome: JobOutcome =
      owners.length > 0 ? await runOwned(run, job, stop, owners) : await runJob(this.#deps, run, job, stop);
    entry.isRunning = false;
    entry.stop = undefined;
    leave();
    if (outcome.kind === 'done') {
      entry.attempts = 0;
      const all = Promise.all(followUps);
      all.catch(() => {});
      for (const each of [...owners, ...waiters]) each.resolve(all);
    } else this.#again(entry, { owners, waiters, noted, isUrgent }, outcome, failure);
    this.#enqueue(entry);
    this.#forget(entry);
    this.#next();
    if (this.#places.inUse === 0) this.#idle?.();
  }

  /** After a run that is not done: answers the owners, and keeps the triggers that only the agenda has for the next try. */
  #again(
    entry: Entry,
    taken: Pick<Entry, 'owners' | 'waiters' | 'isUrgent'> & { readonly noted: readonly Trigger[] },
    outcome: Exclude<JobOutcome, { kind: 'done' }>,
    failure: unknown,
  ): void {
    const { owners, waiters, noted } = taken;
    if (outcome.kind === 'retry') for (const owner of owners) owner.answer(outcome);
    else for (const owner of owners) owner.reject(failure);
    if (noted.length === 0 && waiters.length === 0) return;
    // The triggers of this run come first, so that the oldest cause stays the first.
    entry.triggers = mergeTriggers(noted, entry.triggers);
    if (outcome.kind === 'failed') {
      entry.attempts = owners.length > 0 ? entry.attempts : outcome.attempts;
      if (entry.attempts === 1) entry.failingSince = this.#deps.clock.now();
      entry.error = outcome.error;
    }
    if (outcome.kind === 'retry' && outcome.afterMs <= SOON_MS) entry.waiters.unshift(...waiters);
    else {
      const error = this.#delayed(entry, outcome.afterMs);
      for (const waiter of waiters) waiter.reject(error);
    }
    const isHurried = entry.isUrgent;
    entry.isUrgent ||= taken.isUrgent;
    entry.isRequested = true;
    if (!isHurried) this.#delay(entry, outcome.afterMs);
  }

  #delay(entry: Entry, afterMs: number): void {
    const wake = new AbortController();
    entry.wake = wake;
    entry.wakeAt = this.#deps.clock.now() + afterMs;
    const end = () => {
      if (entry.wake !== wake) return;
      entry.wake = undefined;
      this.#enqueue(entry);
    };
    withLinkedSignal([wake.signal, this.#closing.signal], (stop) =>
      this.#deps.clock.sleep(Math.max(1, afterMs), stop),
    ).then(end, end);
  }

  #forget(entry: Entry): void {
    const isEmpty = entry.triggers.length + entry.owners.length + entry.waiters.length === 0;
    if (isEmpty && !entry.isRunning && !entry.isRequested) this.#entries.delete(entry.text);
  }

  #putOff(entry: Entry): void {
    for (const owner of entry.owners) owner.answer({ kind: 'retry', afterMs: 0 });
    for (const waiter of entry.waiters) waiter.reject(new DelayedRun(entry.text, 0));
    entry.owners = [];
    entry.waiters = [];
  }
}
