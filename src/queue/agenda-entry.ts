import type { Key } from '../model/key.js';
import type { Trigger } from '../model/trigger.js';
import type { JobResult, ParkedKey, Unparked } from './queue.js';

/** A run that a job waits for is tried again after this time. */
export class DelayedRun extends Error {
  /** The key of the run, as `formatKey` text. */
  readonly by: string;
  readonly afterMs: number;

  constructor(by: string, afterMs: number) {
    super('the work that follows from this job is tried again later');
    this.by = by;
    this.afterMs = afterMs;
  }
}

export type Ended = { readonly result: JobResult } | { readonly followUps: Promise<unknown> };

/** Settled when a run, and everything that follows from it, is done. */
export interface Waiter {
  resolve(followUps: Promise<unknown>): void;
  reject(error: unknown): void;
}

/** A durable job. It keeps its triggers in the queue, so that the agenda forgets them when the run fails. */
export interface Owner extends Waiter {
  readonly signal: AbortSignal;
  readonly triggers: readonly Trigger[];
  readonly attempts: number;
  answer(result: JobResult): void;
}

/** The work on one key. */
export class AgendaEntry {
  readonly text: string;
  readonly key: Key;
  triggers: readonly Trigger[] = [];
  owners: Owner[] = [];
  waiters: Waiter[] = [];
  isUrgent = false;
  /** Whether a run is asked for, as against a mere note. */
  isRequested = false;
  isRunning = false;
  attempts = 0;
  error = '';
  failingSince = 0;
  /** When the last run began; 0 before the first. */
  startedAt = 0;
  /** Ends the run that is under way. */
  stop: AbortController | undefined = undefined;
  /** Ends the wait for the next try, which else comes at `wakeAt`. */
  wake: AbortController | undefined = undefined;
  wakeAt = 0;

  /** `text`: of the key, by `formatKey`. */
  constructor(key: Key, text: string) {
    this.key = key;
    this.text = text;
  }

  /** Begins a run, which takes what the entry has. */
  takeRun(startedAt: number): Pick<AgendaEntry, 'triggers' | 'owners' | 'waiters' | 'isUrgent'> {
    const { triggers, owners, waiters, isUrgent } = this;
    this.triggers = [];
    this.owners = [];
    this.waiters = [];
    this.isUrgent = false;
    this.isRequested = false;
    this.isRunning = true;
    this.startedAt = startedAt;
    return { triggers, owners, waiters, isUrgent };
  }

  /** `drop` forgets what the agenda alone has of the key. Durable jobs of the key stay, and run. */
  unpark(how: 'run' | 'drop'): Unparked {
    if (how === 'drop') {
      if (this.isRunning) return 'running';
      if (this.triggers.some(({ order }) => order !== undefined)) return 'has-order';
      this.triggers = [];
      this.attempts = 0;
      this.error = '';
      this.isRequested = this.owners.length > 0;
    }
    this.wake?.abort();
    return 'done';
  }

  toParked(): ParkedKey {
    const { text, attempts, error, failingSince } = this;
    return { key: text, attempts, error, since: new Date(failingSince).toISOString() };
  }
}

/** A timer's trigger is not durable: no job waits for what follows from it. */
export function isAwaited({ cause, evidence = [], order }: Trigger): boolean {
  return cause.kind !== 'full-read' || evidence.length > 0 || order !== undefined;
}
