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

export interface AgendaEntry {
  readonly text: string;
  readonly key: Key;
  triggers: readonly Trigger[];
  owners: Owner[];
  waiters: Waiter[];
  isUrgent: boolean;
  /** Whether a run is asked for, as against a mere note. */
  isRequested: boolean;
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
    isRequested: false,
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

/** Begins a run, which takes what the entry has. */
export function takeRun(
  entry: AgendaEntry,
  startedAt: number,
): Pick<AgendaEntry, 'triggers' | 'owners' | 'waiters' | 'isUrgent'> {
  const { triggers, owners, waiters, isUrgent } = entry;
  entry.triggers = [];
  entry.owners = [];
  entry.waiters = [];
  entry.isUrgent = false;
  entry.isRequested = false;
  entry.isRunning = true;
  entry.startedAt = startedAt;
  return { triggers, owners, waiters, isUrgent };
}

/** `drop` forgets what the agenda alone has of the key. Durable jobs of the key stay, and run. */
export function unparkEntry(entry: AgendaEntry, how: 'run' | 'drop'): Unparked {
  if (how === 'drop') {
    if (entry.isRunning) return 'running';
    if (entry.triggers.some(({ order }) => order !== undefined)) return 'has-order';
    entry.triggers = [];
    entry.attempts = 0;
    entry.error = '';
    entry.isRequested = entry.owners.length > 0;
  }
  entry.wake?.abort();
  return 'done';
}

export function toParked({ text, attempts, error, failingSince }: AgendaEntry): ParkedKey {
  return { key: text, attempts, error, since: new Date(failingSince).toISOString() };
}

/** A timer's trigger is not durable: no job waits for what follows from it. */
export function isAwaited({ cause, evidence = [], order }: Trigger): boolean {
  return cause.kind !== 'full-read' || evidence.length > 0 || order !== undefined;
}
