import { setMaxListeners } from 'node:events';
import { SyncError } from '../errors.js';
import { NEVER, untilAborted, withLinkedSignal } from '../linked-signal.js';
import { groupBy } from '../model/group-by.js';
import { formatKey, type Key } from '../model/key.js';
import type { Job, Trigger } from '../model/trigger.js';
import { AgendaEntry as Entry, isAwaited, type TakenRun } from './agenda-entry.js';
import { type AgendaLimits, Places } from './agenda-places.js';
import { backoffDelayMs } from './backoff.js';
import type { AgendaHandler, FollowUps } from './follow-ups.js';
import type { KeyFailure, KeyUpdate, Unsettled } from './inbox.js';
import { byKey, mergeTriggers } from './merge-triggers.js';
import type { ParkedKey, QueueState, Scheduler, Unparked } from './queue.js';
import { ReadyEntries } from './ready-entries.js';
import { beginAgain, interrupt, isInterrupted, type JobOutcome, type RunDeps, runJob } from './run-job.js';
import type { IsKnown } from './turns.js';

/** Runs that begin in one turn of the event loop: some milliseconds. Thousands of keys may need no answer from anywhere. */
const MAX_IN_ONE_TURN = 8;
/** A run of a client that has lasted for so long when an event about it arrives asks again. */
const OLD_MS = 1_000;

/**
 * The work to do, in memory: key → triggers. Every update of the state adds the keys that it touches, with the triggers
 * that caused it, in the same turn. A run takes all triggers of its key, and a key has at most one run at a time. Urgent
 * keys go first and have places of their own; providers and clients take turns. A failed run is tried again with growing
 * delays; a key that failed too often is parked, and tried once a minute. A trigger of the store is settled when its run,
 * and everything that follows from it, is done. A crash forgets the agenda: the store has every trigger from outside that
 * is not settled, and a start compares everything.
 */
export class Agenda implements Scheduler {
  readonly #deps: RunDeps;
  readonly #places: Places;
  readonly #entries = new Map<string, Entry>();
  readonly #ready: ReadyEntries;
  #handler: AgendaHandler | undefined;
  #save: (update: KeyUpdate) => void = () => {};
  #lost = NEVER;
  #begunInTurn = 0;
  /** Keys that are run after a while. */
  readonly #later = new Set<string>();
  readonly #closing = new AbortController();
  #idle: (() => void) | undefined;

  constructor(limits: AgendaLimits, deps: RunDeps, isKnown: IsKnown = () => true) {
    this.#places = new Places(limits);
    this.#ready = new ReadyEntries(isKnown);
    this.#deps = deps;
    // Every wait listens to it: more than ten is no leak.
    setMaxListeners(0, this.#closing.signal);
  }

  async add(triggers: readonly Trigger[]): Promise<void> {
    this.#put(triggers);
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
    const add = () => void (this.#later.delete(text) && this.#put([trigger]));
    this.#deps.clock.sleep(afterMs, this.#closing.signal).then(add, () => {});
  }

  saveBy(save: (update: KeyUpdate) => void): void {
    this.#save = save;
  }

  take(found: readonly Unsettled[], failures: ReadonlyMap<string, KeyFailure> = new Map()): void {
    for (const [text, all] of groupBy(found, ({ trigger }) => formatKey(trigger.key))) {
      const [first] = all;
      if (first === undefined) continue;
      const entry = this.#entry(first.trigger.key);
      const failure = failures.get(text);
      if (failure !== undefined && !entry.isFailureStored) this.#recall(entry, failure);
      const upTo = failure?.upTo ?? -1;
      if (entry.parkedSince !== undefined && all.some(({ seq }) => seq > upTo)) {
        entry.forgive();
        entry.wake?.abort();
      }
      entry.stored = [...entry.stored, ...all.map(({ id, seq }) => ({ id, seq }))];
    }
    this.#put(found.map(({ trigger }) => trigger));
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
    if (this.#places.inUse > 0)
      await new Promise<void>((resolve) => {
        this.#idle = resolve;
      });
    this.#closing.abort(new SyncError('ERR_INTERNAL', 'the agenda is closed', { retriable: true }));
  }

  /** Consul cannot keep up with the writes. */
  overloaded(): void {
    this.#places.overloaded();
  }

  /** Ends all waits for a next try. */
  hurry(): void {
    for (const { wake } of this.#entries.values()) wake?.abort();
  }

  /** The triggers of the store that wait for a dropped key are run again, and bring it back. */
  unpark(text: string, how: 'run' | 'drop'): Unparked {
    const entry = this.#entries.get(text);
    if (entry?.parkedSince === undefined) return 'not-parked';
    const { stored, waiters } = entry;
    if (how === 'drop') {
      if (entry.isRunning || entry.wake === undefined) return 'running';
      if (entry.triggers.some(({ order }) => order !== undefined)) return 'has-order';
      entry.takeNothing();
    }
    entry.forgive();
    entry.isFailureStored = false;
    this.#save({ key: text, settled: how === 'drop' ? stored.map(({ id }) => id) : [], failure: 'none' });
    entry.wake?.abort();
    if (how === 'drop') for (const waiter of waiters) waiter.reject(new Error('a person dropped the key'));
    this.#forget(entry);
    return 'done';
  }

  /** `parked`: keys that failed often; they are still tried, once a minute. */
  state(): QueueState {
    const parked: ParkedKey[] = [];
    let delayed = 0;
    let active = 0;
    for (const entry of this.#entries.values()) {
      if (entry.isRunning) active++;
      if (entry.parkedSince !== undefined) parked.push(entry.toParked());
      else if (entry.wake !== undefined) delayed++;
    }
    parked.sort((a, b) => (a.key < b.key ? -1 : 1));
    return { waiting: this.#ready.size, delayed, active, parked };
  }

  get waiting(): number {
    return this.#ready.size;
  }

  #put(triggers: readonly Trigger[]): readonly Entry[] {
    interrupt(triggers, (text) => this.#entries.get(text)?.stop);
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
      if (isUrgent) {
        entry.isUrgent = true;
        // An urgent trigger waits out no delay.
        entry.wake?.abort();
        this.#overtake(entry);
      }
      this.#want(entry);
      return entry;
    });
  }

  /**
   * A run may wait ten seconds for an answer that it asked for before the event, and that does not count any more. It begins
   * again, but only once until it is done: events may come more often than answers.
   */
  #overtake(entry: Entry): void {
    const { stop } = entry;
    if (stop === undefined || entry.isOvertaken) return;
    entry.isOvertaken = true;
    const { clock } = this.#deps;
    const afterMs = Math.min(OLD_MS, entry.startedAt + OLD_MS - clock.now());
    clock.sleep(Math.max(1, afterMs), stop.signal).then(
      () => entry.stop === stop && beginAgain(stop),
      () => {},
    );
  }

  /** The triggers came before this term, which has not tried them yet. */
  #recall(entry: Entry, { attempts, error, parkedSince }: KeyFailure): void {
    const since = parkedSince === undefined ? undefined : Date.parse(parkedSince);
    entry.fail(attempts, error, since);
    entry.isFailureStored = true;
    if (since !== undefined) this.#delay(entry, backoffDelayMs(this.#deps.backoff, attempts));
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

  #enqueue(entry: Entry): void {
    if (entry.isRunning || !entry.isRequested || entry.wake !== undefined) return;
    this.#ready.put(entry);
    // After the turn: all keys that a state update adds are known before the first of them runs.
    queueMicrotask(() => this.#next());
  }

  #next(): void {
    while (this.#handler !== undefined && this.#begunInTurn < MAX_IN_ONE_TURN) {
      const next = this.#ready.take(this.#places);
      if (next === undefined) return;
      if (this.#begunInTurn++ === 0)
        setImmediate(() => {
          this.#begunInTurn = 0;
          this.#next();
        });
      void this.#start(next.entry, next.leave, this.#handler);
    }
  }

  async #start(entry: Entry, leave: () => void, handler: AgendaHandler): Promise<void> {
    const taken = entry.takeRun(this.#deps.clock.now());
    let { triggers: noted } = taken;
    // Orders are for clients. A signal for each other run costs as much as its requests.
    entry.stop = entry.key.kind === 'client' ? new AbortController() : undefined;
    const stop = entry.stop?.signal ?? this.#lost;
    const followUps: Promise<unknown>[] = [];
    const follow: FollowUps = {
      add: async (next) => {
        const added = this.#put(next);
        if (next.some(isAwaited)) followUps.push(...added.map(endOf));
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
    const job: Job = { key: entry.key, triggers: taken.triggers, attempts: entry.attempts };
    const outcome = await runJob(this.#deps, (each, until) => handler(each, until, follow), job, stop);
    entry.isRunning = false;
    entry.stop = undefined;
    if (!isInterrupted(stop)) entry.isOvertaken = false;
    leave();
    if (outcome.kind === 'done') this.#done(entry, taken, followUps);
    else this.#again(entry, { ...taken, triggers: noted }, outcome);
    this.#enqueue(entry);
    this.#forget(entry);
    this.#next();
    if (this.#places.inUse === 0) this.#idle?.();
  }

  #done(entry: Entry, { stored, triggers, waiters }: TakenRun, followUps: readonly Promise<unknown>[]): void {
    const { key, text } = entry;
    entry.forgive();
    if (entry.isFailureStored) this.#save({ key: text, settled: [], failure: 'none' });
    entry.isFailureStored = false;
    const all = Promise.all(followUps);
    all.then(
      () => {
        if (stored.length > 0) this.#save({ key: text, settled: stored.map(({ id }) => id) });
      },
      () => {
        // A person dropped what follows from it. What the store has is run again.
        if (stored.length === 0) return;
        const now = this.#entry(key);
        now.stored = [...stored, ...now.stored];
        this.#put(triggers);
      },
    );
    for (const waiter of waiters) waiter.resolve(all);
  }

  /** After a run that is not done: its triggers, and those that wait for it, stay for the next try. */
  #again(entry: Entry, taken: TakenRun, outcome: Exclude<JobOutcome, { kind: 'done' }>): void {
    const hasNew = entry.stored.length > 0;
    // The triggers of this run come first, so that the oldest cause stays the first.
    entry.triggers = mergeTriggers(taken.triggers, entry.triggers);
    entry.stored = [...taken.stored, ...entry.stored];
    entry.waiters = [...taken.waiters, ...entry.waiters];
    let { afterMs } = outcome;
    if (outcome.kind === 'failed') {
      const { attempts, error, exhausted } = outcome;
      const since = exhausted ? (entry.parkedSince ?? this.#deps.clock.now()) : undefined;
      entry.fail(attempts, error, since);
      if (exhausted && hasNew) {
        // What came during the run was not tried: the count begins again.
        entry.forgive();
        afterMs = backoffDelayMs(this.#deps.backoff, 1);
      }
      const upTo = taken.stored.at(-1)?.seq;
      if (upTo !== undefined) this.#save({ key: entry.text, settled: [], failure: entry.toFailure(upTo) });
      entry.isFailureStored ||= upTo !== undefined;
    }
    const isHurried = entry.isUrgent;
    entry.isUrgent ||= taken.isUrgent;
    entry.isRequested = true;
    if (!isHurried) this.#delay(entry, afterMs);
  }

  #delay(entry: Entry, afterMs: number): void {
    const wake = new AbortController();
    entry.wake = wake;
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
    if (entry.isEmpty) this.#entries.delete(entry.text);
  }
}

/** Resolves when the entry's next run, and all that follows from it, is done. */
function endOf(entry: Entry): Promise<unknown> {
  const end = new Promise((resolve, reject) => {
    entry.waiters.push({ resolve, reject });
  });
  // The run that would wait for it may fail.
  end.catch(() => {});
  return end;
}
