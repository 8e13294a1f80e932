import type { Key } from '../model/key.js';
import type { Trigger } from '../model/trigger.js';
import type { JobResult } from './queue.js';

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

export interface AgendaEntry {
  readonly text: string;
  readonly key: Key;
  triggers: readonly Trigger[];
  owners: Owner[];
  waiters: Waiter[];
  isUrgent: boolean;
  /** Whether a run is asked for, as against a mere note. */
  isWanted: boolean;
  isRunning: boolean;
  attempts: number;
  error: string;
  failingSince: number;
  /** When the last run began; 0 before the first. */
  startedAt: number;
  /** Ends the run that is under way. */
  stop: AbortController | undefined;
  /** Ends the wait for the next try, which else comes at `wakeAt`. */
  wake: AbortController | undefined;
  wakeAt: number;
}

export function newEntry(key: Key, text: string): AgendaEntry {
  return {
    text,
    key,
    triggers: [],
    owners: [],
    waiters: [],
    isUrgent: false,
    isWanted: false,
    isRunning: false,
    attempts: 0,
    error: '',
    failingSince: 0,
    startedAt: 0,
    stop: undefined,
    wake: undefined,
    wakeAt: 0,
  };
}
