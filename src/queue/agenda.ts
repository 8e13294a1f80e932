import { setMaxListeners } from 'node:events';
import { SyncError } from '../errors.js';
import { formatKey, type Key } from '../model/key.js';
import type { Job, Trigger } from '../model/trigger.js';
import { type Ended, type AgendaEntry as Entry, newEntry, type Owner, PutOff } from './agenda-entry.js';
import type { ConcurrencyLimit } from './concurrency-limit.js';
import { mergeTriggers } from './merge-triggers.js';
import type { JobResult, QueueState } from './queue.js';
import { type JobOutcome, type RunDeps, runJob } from './run-job.js';

/** What follows from a run. Both take effect in the turn of the call, so that nobody can act on a state without them. */
export interface FollowUps {
  /** Runs these keys. Whoever waits for the run waits for them too. Resolves at once. */
  add(triggers: readonly Trigger[]): Promise<void>;
  /** Tells these keys the cause and the evidence of a change, for their next run, without asking for one. */
  note(triggers: readonly Trigger[]): void;
  /** What came for the key of this run since it began: a run that sees a change must know what caused it. */
  late(): readonly Trigger[];
}

export type AgendaHandler = (job: Job, signal: AbortSignal, followUps: FollowUps) => Promise<JobResult>;

export interface AgendaLimits {
  /** Destinations written at once. */
  readonly writes: ConcurrencyLimit;
  /** Runs of every other kind at once. */
  readonly reads: number;
  /** Runs beyond the limits, for urgent keys alone. */
  readonly urgent: number;
}

/** A retry this soon is part of the same run for whoever waits; the others are told to come back later. */
const SOON_MS = 100;

type Lane = 'urgent' | 'ordinary';
type Kind = 'writes' | 'reads';

/**
 * What is to be done, in memory: key → triggers. Every update of the state adds the keys that it touches, with the
 * triggers that caused it, in the same turn; a run takes all triggers of its key. At most one run of a key at a time.
 * Urgent keys go first and have places of their own; of equals the oldest goes first, whatever its kind. What fails is
 * tried again with growing delays. A crash forgets the agenda: the durable queue has every trigger from outside that
 * is not settled, and a start compares everything.
 */
export class Agenda {
  readonly #deps: RunDeps;
  readonly #limits: AgendaLimits;
  readonly #entries = new Map<string, Entry>();
  /** Durable jobs that only wait for what follows from them, by key; called, they begin anew. */
  readonly #waiting = new Map<string, () => void>();
  readonly #ready: Readonly<Record<Lane, Set<Entry>>> = { urgent: new Set(), ordinary: new Set() };
  readonly #running: Record<Kind, number> = { writes: 0, reads: 0 };
  #runningUrgent = 0;
  #handler: AgendaHandler | undefined;
  readonly #closing = new AbortController();
  #isStopped = false;
  #idle: (() => void) | undefined;

  constructor(limits: AgendaLimits, deps: RunDeps) {
    this.#limits = limits;
    this.#deps = deps;
    // Every run listens to it: more than ten is no leak.
    setMaxListeners(0, this.#closing.signal);
  }

  async add(triggers: readonly Trigger[]): Promise<void> {
    for (const done of this.#put(triggers)) done.catch(() => {});
  }

  note(triggers: readonly Trigger[]): void {
    for (const trigger of triggers) {
      const entry = this.#entry(trigger.key);
      entry.triggers = mergeTriggers(entry.triggers, [trigger]);
    }
  }

  /**
   * Runs a durable job and waits for everything that follows from it. Resolves with `retry` where that is to be tried
   * again, and as soon as there are news of the key: the job begins anew with them.
   */
  async run(job: Job, signal: AbortSignal): Promise<JobResult> {
    const entry = this.#entry(job.key);
    const ended = await new Promise<Ended>((resolve, reject) => {
      const { triggers, attempts } = job;
      const owner: Owner = {
        signal,
        triggers,
        attempts,
        answer: (result) => resolve({ result }),
        resolve: (followUps) => resolve({ followUps }),
        reject,
      };
      entry.owners.push(owner);
      if (this.#isStopped) this.#putOff(entry);
      else
        this.#want(
          entry,
          triggers.some(({ urgent }) => urgent === true),
        );
    });
    if ('result' in ended) return ended.result;
    const news = new Promise<JobResult>((resolve) => {
      this.#waiting.set(entry.text, () => resolve({ kind: 'retry', afterMs: 0 }));
    });
    try {
      return await Promise.race([ended.followUps.then((): JobResult => ({ kind: 'done' })), news]);
    } catch (error) {
      if (error instanceof PutOff) return { kind: 'retry', afterMs: error.afterMs };
      throw error;
    } finally {
      this.#waiting.delete(entry.text);
    }
  }

  /**
   * Triggers that became durable just now: a run of their key that is under way need not end before the next one knows
   * them, and a job that only waits begins anew.
   */
  news(triggers: readonly Trigger[]): void {
    for (const trigger of triggers) {
      const entry = this.#entries.get(formatKey(trigger.key));
      if (entry?.isRunning) entry.triggers = mergeTriggers(entry.triggers, [trigger]);
      this.#waiting.get(formatKey(trigger.key))?.();
    }
  }

  /** Runs what is added, until the signal aborts; then waits for what runs. */
  async work(handler: AgendaHandler, signal: AbortSignal): Promise<void> {
    this.#handler = handler;
    this.#next();
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener('abort', () => resolve(), { once: true });
    });
    this.#handler = undefined;
    this.#isStopped = true;
    // What has not begun stays with its owner, and is compared at the next start.
    for (const entry of this.#entries.values()) this.#putOff(entry);
    if (this.#running.writes + this.#running.reads > 0)
      await new Promise<void>((resolve) => {
        this.#idle = resolve;
      });
    this.#closing.abort(new SyncError('ERR_INTERNAL', 'the agenda is closed', { retriable: true }));
    for (const entry of this.#entries.values()) this.#putOff(entry);
  }

  /** The server that is written to says that it is too much. */
  overloaded(): void {
    this.#limits.writes.overloaded();
  }

  /** Ends all waits for a next try. */
  hurry(): void {
    for (const { wake } of this.#entries.values()) wake?.abort();
  }

  /** `parked`: keys that failed often; they are still tried again, about once a minute. */
  state(): QueueState {
    const all = [...this.#entries.values()];
    const count = (is: (entry: Entry) => boolean) => all.filter(is).length;
    return {
      waiting: this.#ready.urgent.size + this.#ready.ordinary.size,
      delayed: count(({ isWanted, wake }) => isWanted && wake !== undefined),
      active: count(({ isRunning }) => isRunning),
      parked: all
        .filter(({ attempts }) => attempts >= this.#deps.backoff.attempts)
        .map(({ text, attempts, error, failingSince }) => ({
          key: text,
          attempts,
          error,
          since: new Date(failingSince).toISOString(),
        })),
    };
  }

  #put(triggers: readonly Trigger[]): readonly Promise<unknown>[] {
    const entries = new Map<Entry, boolean>();
    for (const trigger of triggers) {
      const entry = this.#entry(trigger.key);
      entry.triggers = mergeTriggers(entry.triggers, [trigger]);
      entries.set(entry, (entries.get(entry) ?? false) || trigger.urgent === true);
    }
    return [...entries].map(([entry, isUrgent]) => {
      const done = new Promise<unknown>((resolve, reject) => entry.waiters.push({ resolve, reject }));
      this.#want(entry, isUrgent);
      return done;
    });
  }

  #entry(key: Key): Entry {
    const text = formatKey(key);
    const known = this.#entries.get(text);
    if (known !== undefined) return known;
    const entry = newEntry(key, text);
    this.#entries.set(text, entry);
    return entry;
  }

  #want(entry: Entry, isUrgent: boolean): void {
    entry.isWanted = true;
    if (isUrgent) {
      entry.isUrgent = true;
      // An urgent trigger waits out no delay.
      entry.wake?.abort();
    }
    this.#enqueue(entry);
  }

  #enqueue(entry: Entry): void {
    if (entry.isRunning || !entry.isWanted || entry.wake !== undefined) return;
    if (entry.isUrgent) {
      this.#ready.ordinary.delete(entry);
      this.#ready.urgent.add(entry);
    } else this.#ready.ordinary.add(entry);
    // After the turn: what a state update adds is known as a whole before the first of it runs.
    queueMicrotask(() => this.#next());
  }

  #next(): void {
    if (this.#handler === undefined) return;
    for (const lane of ['urgent', 'ordinary'] as const) {
      for (const entry of this.#ready[lane]) {
        if (!this.#hasPlace(entry, lane)) break;
        this.#ready[lane].delete(entry);
        void this.#start(entry, this.#handler);
      }
    }
  }

  #hasPlace(entry: Entry, lane: Lane): boolean {
    const kind = kindOf(entry.key);
    const most = kind === 'writes' ? this.#limits.writes.now : this.#limits.reads;
    if (this.#running[kind] < most) return true;
    return lane === 'urgent' && this.#runningUrgent < this.#limits.urgent;
  }

  async #start(entry: Entry, handler: AgendaHandler): Promise<void> {
    const kind = kindOf(entry.key);
    const { owners, waiters, triggers: noted, isUrgent } = entry;
    entry.triggers = [];
    entry.owners = [];
    entry.waiters = [];
    entry.isUrgent = false;
    entry.isWanted = false;
    entry.isRunning = true;
    this.#running[kind]++;
    if (isUrgent) this.#runningUrgent++;
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
      late: () => {
        const { triggers: late } = entry;
        // A mere note is used up; what asks for a run gets it.
        if (!entry.isWanted) entry.triggers = [];
        return late;
      },
    };
    const signal =
      owners.length === 0
        ? this.#closing.signal
        : AbortSignal.any([this.#closing.signal, ...owners.map((owner) => owner.signal)]);
    const job: Job = { key: entry.key, triggers, attempts };
    let failure: unknown;
    const run = async (each: Job, stop: AbortSignal) => {
      try {
        return await handler(each, stop, follow);
      } catch (error) {
        failure = error;
        throw error;
      }
    };
    // A durable job's failure is its queue's to count and to log.
    const outcome: JobOutcome =
      owners.length > 0
        ? await run(job, signal).catch(
            (): JobOutcome => ({
              kind: 'failed',
              error: '',
              attempts,
              exhausted: false,
              afterMs: 0,
            }),
          )
        : await runJob(this.#deps, run, job, signal);
    entry.isRunning = false;
    this.#running[kind]--;
    if (isUrgent) this.#runningUrgent--;
    if (kind === 'writes') this.#limits.writes.completed();
    if (outcome.kind === 'done') {
      entry.attempts = 0;
      const all = Promise.all(followUps);
      all.catch(() => {});
      for (const each of [...owners, ...waiters]) each.resolve(all);
    } else this.#again(entry, { owners, waiters, noted, isUrgent }, outcome, failure);
    this.#enqueue(entry);
    this.#forget(entry);
    this.#next();
    if (this.#running.writes + this.#running.reads === 0) this.#idle?.();
  }

  /** After a run that is not done: owners are answered, and what only the agenda knows waits for the next try. */
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
    // What came back stands before what came meanwhile: the oldest cause stays the first.
    entry.triggers = mergeTriggers(noted, entry.triggers);
    if (outcome.kind === 'failed') {
      entry.attempts = owners.length > 0 ? entry.attempts : outcome.attempts;
      if (entry.attempts === 1) entry.failingSince = this.#deps.clock.now();
      entry.error = outcome.error;
    }
    // With owners, the key's next run is theirs.
    if (outcome.kind === 'retry' && outcome.afterMs <= SOON_MS) entry.waiters.unshift(...waiters);
    else {
      const error = new PutOff(Math.max(outcome.afterMs, SOON_MS));
      for (const waiter of waiters) waiter.reject(error);
    }
    const isHurried = entry.isUrgent;
    entry.isUrgent ||= taken.isUrgent;
    entry.isWanted = true;
    if (!isHurried) this.#delay(entry, outcome.afterMs);
  }

  #delay(entry: Entry, afterMs: number): void {
    const wake = new AbortController();
    entry.wake = wake;
    const end = () => {
      if (entry.wake !== wake) return;
      entry.wake = undefined;
      this.#enqueue(entry);
    };
    const stop = AbortSignal.any([wake.signal, this.#closing.signal]);
    this.#deps.clock.sleep(Math.max(1, afterMs), stop).then(end, end);
  }

  #forget(entry: Entry): void {
    const isEmpty = entry.triggers.length + entry.owners.length + entry.waiters.length === 0;
    if (isEmpty && !entry.isRunning && !entry.isWanted) this.#entries.delete(entry.text);
  }

  #putOff(entry: Entry): void {
    for (const owner of entry.owners) owner.answer({ kind: 'retry', afterMs: 0 });
    for (const waiter of entry.waiters) waiter.reject(new PutOff(0));
    entry.owners = [];
    entry.waiters = [];
  }
}

/** What the timer asked for has no durable trigger: nobody waits for what follows from it. */
function isAwaited({ cause, evidence = [], order }: Trigger): boolean {
  return cause.kind !== 'full-read' || evidence.length > 0 || order !== undefined;
}

function kindOf(key: Key): Kind {
  return key.kind === 'destination' ? 'writes' : 'reads';
}
