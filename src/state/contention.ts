/**
 * Notices that somebody undoes what scopemesh writes. After `limit` corrections of one subject within the window the
 * subject is contended until the oldest of them has left the window: then one more correction is tried.
 */
export class Contention {
  readonly #limit: number;
  readonly #windowMs: number;
  readonly #corrections = new Map<string, number[]>();

  constructor(options: { readonly limit: number; readonly windowMs: number }) {
    this.#limit = options.limit;
    this.#windowMs = options.windowMs;
  }

  corrected(subject: string, now: number): void {
    this.#corrections.set(subject, [...this.#recent(subject, now), now]);
  }

  isContended(subject: string, now: number): boolean {
    return this.#recent(subject, now).length >= this.#limit;
  }

  #recent(subject: string, now: number): number[] {
    // What lies in the future is from before the clock was set back, and would be recent until the clock is there again.
    const recent = (this.#corrections.get(subject) ?? []).filter(
      (at) => at <= now && at > now - this.#windowMs,
    );
    if (recent.length === 0) this.#corrections.delete(subject);
    return recent;
  }
}
