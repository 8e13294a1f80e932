import { jsonIn } from '../model/json-in.js';

/** The name of the stored value. */
const NAME = 'guard/contention';
/** At least this long between two writes of the value, which has every correction. */
const PAUSE_MS = 1_000;

interface KeyValues {
  readonly get: (name: string) => Promise<string | undefined>;
  readonly set: (name: string, value: string) => Promise<void>;
}

interface Clock {
  /** Rejects when aborted. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
}

/**
 * Detects that another writer reverts what scopemesh writes. After `limit` corrections of one subject within the window the
 * subject is contended until the oldest correction has left the window; then one more correction is tried.
 */
export class Contention {
  readonly #limit: number;
  readonly #windowMs: number;
  readonly #corrections = new Map<string, number[]>();
  readonly #keyValues: KeyValues | undefined;
  readonly #clock: Clock | undefined;
  readonly #closing = new AbortController();
  #storing: Promise<void> | undefined;
  #isChanged = false;
  #correctedAt = 0;

  /** With `keyValues` the next leader knows the corrections. */
  constructor(
    options: { readonly limit: number; readonly windowMs: number },
    keyValues?: KeyValues,
    clock?: Clock,
  ) {
    this.#clock = clock;
    this.#limit = options.limit;
    this.#windowMs = options.windowMs;
    this.#keyValues = keyValues;
  }

  corrected(subject: string, now: number): void {
    this.#corrections.set(subject, [...this.#recent(subject, now), now]);
    this.#correctedAt = now;
    this.#isChanged = true;
    if (this.#keyValues !== undefined) this.#storing ??= this.#store(this.#keyValues);
  }

  isContended(subject: string, now: number): boolean {
    return this.#recent(subject, now).length >= this.#limit;
  }

  /** Restores what an earlier leader stored; ignores a text in another form. */
  async restore(): Promise<void> {
    const value = jsonIn((await this.#keyValues?.get(NAME)) ?? '[]');
    if (!Array.isArray(value)) return;
    for (const each of value as unknown[]) {
      if (!Array.isArray(each)) continue;
      const [subject, ...times]: unknown[] = each;
      const found = times.filter((at): at is number => typeof at === 'number');
      if (typeof subject === 'string' && !this.#corrections.has(subject))
        this.#corrections.set(subject, found);
    }
  }

  /** Stores at once what waits to be stored, so that the next leader knows it. Never rejects. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#storing;
  }

  /** One write stores all corrections that came during the last write and the pause after it. A lost write loses their count. */
  async #store(keyValues: KeyValues): Promise<void> {
    while (this.#isChanged) {
      this.#isChanged = false;
      const all = [...this.#corrections.keys()]
        .map((subject) => [subject, ...this.#recent(subject, this.#correctedAt)])
        .filter(({ length }) => length > 1);
      await keyValues.set(NAME, JSON.stringify(all)).catch(() => {});
      await this.#clock?.sleep(PAUSE_MS, this.#closing.signal).catch(() => {});
    }
    this.#storing = undefined;
  }

  #recent(subject: string, now: number): number[] {
    // Times in the future are from before the clock was set back, and would stay recent for too long.
    const recent = (this.#corrections.get(subject) ?? []).filter(
      (at) => at <= now && at > now - this.#windowMs,
    );
    if (recent.length === 0) this.#corrections.delete(subject);
    return recent;
  }
}
