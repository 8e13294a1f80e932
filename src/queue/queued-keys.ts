import { formatKey } from '../model/key.js';
import type { Trigger } from '../model/trigger.js';
import type { KeyFailure, Unsettled } from './inbox.js';
import { Line } from './line.js';
import type { ParkedKey, QueueState } from './queue.js';

/** A key that has unsettled triggers. */
export class QueuedKey {
  readonly text: string;
  /** The place of the newest trigger that is known. */
  newest = -1;
  isUrgent = false;
  /** A trigger came that the last run did not know. */
  isFresh = false;
  /** An urgent one came. */
  isFreshUrgent = false;
  attempts = 0;
  error = '';
  parkedSince: string | undefined = undefined;
  isTaken = false;
  /** Ends the run that is under way, or is about to begin. */
  run: AbortController | undefined = undefined;
  /** Ends the wait for the next run. */
  wake: AbortController | undefined = undefined;

  constructor(text: string) {
    this.text = text;
  }
}

/** How a run ended. `attempts`: failed runs in a row, where it changes. */
export type End =
  | { readonly kind: 'done' }
  | { readonly kind: 'again'; readonly attempts?: number }
  | { readonly kind: 'delayed'; readonly attempts?: number; readonly wake: AbortController }
  | { readonly kind: 'parked'; readonly failure: KeyFailure };

/** What the store says of a key that failed. `newest`: the place of its newest trigger. */
export interface FailedKey extends KeyFailure {
  readonly newest: number;
}

/**
 * The keys that have unsettled triggers: those that wait, in order, and those that run, are delayed or parked. The triggers
 * themselves are in the store, so the memory grows with the keys and not with the events.
 */
export class QueuedKeys {
  readonly #all = new Map<string, QueuedKey>();
  readonly #urgent = new Line<QueuedKey>();
  readonly #ordinary = new Line<QueuedKey>();

  get(key: string): QueuedKey | undefined {
    return this.#all.get(key);
  }

  get waiting(): number {
    return this.#urgent.size + this.#ordinary.size;
  }

  /** Before all triggers of the store are added again. `failures`: what the store knows of earlier runs. */
  begin(failures: ReadonlyMap<string, FailedKey>): void {
    for (const entry of this.#all.values()) entry.newest = -1;
    for (const [text, { newest, ...failure }] of failures) {
      const known = this.#all.get(text);
      const entry = known ?? this.#entry(text);
      if (known === undefined) {
        entry.attempts = failure.attempts;
        entry.error = failure.error;
        entry.parkedSince = failure.parkedSince;
      }
      // Only a newer trigger ends the parking.
      if (entry.parkedSince !== undefined && failure.parkedSince !== undefined) entry.newest = newest;
    }
  }

  /** Returns those that it did not know. */
  add(found: readonly Unsettled[]): readonly Trigger[] {
    const added: Trigger[] = [];
    for (const { seq, trigger } of found) {
      const entry = this.#entry(formatKey(trigger.key));
      if (seq <= entry.newest) continue;
      added.push(trigger);
      entry.newest = seq;
      entry.isFresh = true;
      if (entry.parkedSince !== undefined) unparked(entry);
      if (trigger.urgent === true) {
        entry.isUrgent = true;
        entry.isFreshUrgent = true;
        entry.wake?.abort();
        entry.wake = undefined;
      }
      this.#enqueue(entry);
    }
    return added;
  }

  /** The next ones, which run now with all triggers that the store has. */
  take(most: number): readonly QueuedKey[] {
    const taken: QueuedKey[] = [];
    while (taken.length < most) {
      const entry = this.#urgent.first ?? this.#ordinary.first;
      if (entry === undefined) break;
      this.#remove(entry);
      entry.isTaken = true;
      entry.isFresh = false;
      entry.isFreshUrgent = false;
      taken.push(entry);
    }
    return taken;
  }

  end(entry: QueuedKey, how: End): void {
    entry.isTaken = false;
    entry.run = undefined;
    switch (how.kind) {
      case 'done':
        entry.attempts = 0;
        entry.isUrgent = entry.isFreshUrgent;
        if (!entry.isFresh) this.#all.delete(entry.text);
        break;
      case 'parked':
        entry.attempts = how.failure.attempts;
        entry.error = how.failure.error;
        entry.parkedSince = how.failure.parkedSince;
        break;
      case 'delayed':
        entry.wake = how.wake;
        entry.attempts = how.attempts ?? entry.attempts;
        break;
      case 'again':
        entry.attempts = how.attempts ?? entry.attempts;
    }
    this.#enqueue(entry);
  }

  /** The wait is over. */
  wake(entry: QueuedKey, wake: AbortController): void {
    if (entry.wake !== wake) return;
    entry.wake = undefined;
    this.#enqueue(entry);
  }

  unpark(entry: QueuedKey): void {
    unparked(entry);
    this.#enqueue(entry);
  }

  drop(entry: QueuedKey): void {
    this.#remove(entry);
    this.#all.delete(entry.text);
  }

  state(): QueueState {
    const all = [...this.#all.values()];
    return {
      waiting: this.waiting,
      delayed: all.filter(({ wake }) => wake !== undefined).length,
      active: all.filter(({ isTaken }) => isTaken).length,
      parked: toParked(all.map((entry) => [entry.text, entry])),
    };
  }

  abortAll(reason: Error): void {
    for (const { run } of this.#all.values()) run?.abort(reason);
  }

  clear(): void {
    const all = [...this.#all.values()];
    this.#all.clear();
    for (const entry of all) {
      this.#remove(entry);
      entry.wake?.abort();
    }
  }

  #entry(text: string): QueuedKey {
    const known = this.#all.get(text);
    if (known !== undefined) return known;
    const entry = new QueuedKey(text);
    this.#all.set(text, entry);
    return entry;
  }

  /** Behind those that wait already. One that becomes urgent leaves the ordinary ones. */
  #enqueue(entry: QueuedKey): void {
    const isBusy = entry.isTaken || entry.wake !== undefined || entry.parkedSince !== undefined;
    if (isBusy || this.#all.get(entry.text) !== entry) {
      this.#remove(entry);
      return;
    }
    if (entry.isUrgent) this.#ordinary.delete(entry);
    const line = entry.isUrgent ? this.#urgent : this.#ordinary;
    if (!line.has(entry)) line.add(entry);
  }

  #remove(entry: QueuedKey): void {
    this.#urgent.delete(entry);
    this.#ordinary.delete(entry);
  }
}

function unparked(entry: QueuedKey): void {
  entry.parkedSince = undefined;
  entry.attempts = 0;
}

/** Those of them that are parked, by key. */
export function toParked(
  failed: Iterable<readonly [string, Pick<QueuedKey, 'attempts' | 'error'> & Partial<QueuedKey>]>,
): readonly ParkedKey[] {
  return [...failed]
    .flatMap(([key, { attempts, error, parkedSince: since }]) =>
      since === undefined ? [] : [{ key, attempts, error, since }],
    )
    .sort((a, b) => (a.key < b.key ? -1 : 1));
}
