import type { Key } from '../model/key.js';
import type { Trigger } from '../model/trigger.js';
import type { KeyFailure, Unsettled } from './inbox.js';
import type { ParkedKey } from './queue.js';

/** A trigger of the store, by what the store knows it by. */
export type Stored = Pick<Unsettled, 'id' | 'seq'>;

/** Settled when a run, and everything that follows from it, is done. Rejects if a person dropped a part of that. */
export interface Waiter {
  resolve(followUps: Promise<unknown>): void;
  reject(error: unknown): void;
}

/** What a run takes. */
export type TakenRun = Pick<AgendaEntry, 'triggers' | 'stored' | 'waiters' | 'isUrgent'>;

/** The work on one key. */
export class AgendaEntry {
  readonly text: string;
  readonly key: Key;
  triggers: readonly Trigger[] = [];
  /** The triggers that the store keeps until everything that follows from them is done. */
  stored: Stored[] = [];
  waiters: Waiter[] = [];
  isUrgent = false;
  /** Whether a run is asked for, as against a mere note. */
  isRequested = false;
  isRunning = false;
  /** Failed runs in a row. */
  attempts = 0;
  error = '';
  /** Whether the store knows of these failures. */
  isFailureStored = false;
  /** In milliseconds since the epoch; undefined unless it failed too often. */
  parkedSince: number | undefined = undefined;
  /** When the last run began; 0 before the first. */
  startedAt = 0;
  /** Ends the run that is under way. */
  stop: AbortController | undefined = undefined;
  /** An event arrived during its run, which begins again if it lasts. */
  isOvertaken = false;
  /** Ends the wait for the next try. */
  wake: AbortController | undefined = undefined;

  /** `text`: of the key, by `formatKey`. */
  constructor(key: Key, text: string) {
    this.key = key;
    this.text = text;
  }

  get isEmpty(): boolean {
    const isIdle = !this.isRunning && !this.isRequested;
    return isIdle && this.triggers.length + this.stored.length + this.waiters.length === 0;
  }

  /** Begins a run, which takes what the entry has. */
  takeRun(startedAt: number): TakenRun {
    const { triggers, stored, waiters, isUrgent } = this;
    this.takeNothing();
    this.isRunning = true;
    this.startedAt = startedAt;
    return { triggers, stored, waiters, isUrgent };
  }

  /** Forgets what it has, and that a run is asked for. */
  takeNothing(): void {
    this.triggers = [];
    this.stored = [];
    this.waiters = [];
    this.isUrgent = false;
    this.isRequested = false;
  }

  /** `parkedSince`: unless the key is tried again soon. */
  fail(attempts: number, error: string, parkedSince: number | undefined): void {
    this.attempts = attempts;
    this.error = error;
    this.parkedSince = parkedSince;
  }

  /** Its failures count no more. */
  forgive(): void {
    this.fail(0, '', undefined);
  }

  /** What the store is to know of the failures. `upTo`: the place of the newest trigger that the last run knew. */
  toFailure(upTo: number): KeyFailure {
    const { attempts, error, parkedSince: at } = this;
    const parked = at === undefined ? {} : { parkedSince: new Date(at).toISOString() };
    return { attempts, error, upTo, ...parked };
  }

  toParked(): ParkedKey {
    const { text, attempts, error, parkedSince = 0 } = this;
    return { key: text, attempts, error, since: new Date(parkedSince).toISOString() };
  }
}

/** A timer's trigger is not durable: no job waits for what follows from it. */
export function isAwaited({ cause, evidence = [], order }: Trigger): boolean {
  return cause.kind !== 'full-read' || evidence.length > 0 || order !== undefined;
}
