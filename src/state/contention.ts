/**
 * Detects that another writer reverts what scopemesh writes. After `limit` corrections of one subject within the window the
 * subject is contended until the oldest correction has left the window; then one more correction is tried.
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
    // Times in the future are from before the clock was set back, and would stay recent for too long.
    const recent = (this.#corrections.get(subject) ?? []).filter(
      (at) => at <= now && at > now - this.#windowMs,
    );
    if (recent.length === 0) this.#corrections.delete(subject);
    return recent;
  }
}
