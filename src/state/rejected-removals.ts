import type { Rejection } from '../plan/guards/guard.js';
import type { InferredRemovals } from './inferred-removals.js';

/**
 * The removals that a person rejected, as the jobs of their keys last found them. Plans of the whole fleet hold and count by
 * them. The source of truth is the store with the key's holds, which each of those jobs reads again.
 */
export class RejectedRemovals {
  readonly #windowMs: number;
  readonly #byKey = new Map<string, ReadonlyMap<string, Rejection>>();
  readonly #bySubject = new Map<string, Rejection>();

  constructor(windowMs: number) {
    this.#windowMs = windowMs;
  }

  /** Replaces the rejections of a key, by subject. */
  put(key: string, rejections: ReadonlyMap<string, Rejection>): void {
    for (const subject of this.#byKey.get(key)?.keys() ?? []) this.#bySubject.delete(subject);
    this.#byKey.delete(key);
    if (rejections.size > 0) this.#byKey.set(key, rejections);
    for (const [subject, rejection] of rejections) this.#bySubject.set(subject, rejection);
  }

  of(subject: string): Rejection | undefined {
    return this.#bySubject.get(subject);
  }

  /**
   * The number of these removals that the mass guard counts. A rejected one counts for one more window, like a removal that
   * was made; otherwise the rejection of the first removals would let others pass that nobody ruled on yet. After that it
   * does not count; otherwise more rejections than the limit would hold every later loss forever.
   */
  countOf(subjects: readonly string[], now: number): number {
    return subjects.filter((subject) => !this.#isOver(this.#bySubject.get(subject), now)).length;
  }

  /** The same for the removals of the whole fleet, without a look at each one. Each key counts at most `most`. */
  countIn(
    removals: Pick<InferredRemovals, 'total' | 'lossOf'>,
    now: number,
    most = Number.POSITIVE_INFINITY,
  ): number {
    const over = new Map<string, { readonly removals: number; readonly over: number }>();
    for (const [subject, rejection] of this.#bySubject) {
      const loss = this.#isOver(rejection, now) ? removals.lossOf(subject) : undefined;
      if (loss === undefined) continue;
      over.set(loss.key, { removals: loss.removals, over: (over.get(loss.key)?.over ?? 0) + 1 });
    }
    let count = removals.total(most);
    for (const key of over.values())
      count += Math.min(key.removals - key.over, most) - Math.min(key.removals, most);
    return count;
  }

  #isOver(rejection: Rejection | undefined, now: number): boolean {
    return rejection !== undefined && !(Date.parse(rejection.at) > now - this.#windowMs);
  }
}
