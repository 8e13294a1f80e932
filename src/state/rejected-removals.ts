import type { Rejection } from '../plan/guards/guard.js';
import type { InferredRemovals } from './inferred-removals.js';

/**
 * Which removals a person said no to, as the jobs of their keys last found: the plans of the whole fleet hold and count
 * by it. What stands in the store and with the key's holds is the truth, and is taken in anew by each of those jobs.
 */
export class RejectedRemovals {
  readonly #windowMs: number;
  readonly #byKey = new Map<string, ReadonlyMap<string, Rejection>>();
  readonly #bySubject = new Map<string, Rejection>();

  constructor(windowMs: number) {
    this.#windowMs = windowMs;
  }

  /** All of a key's rejections that stand, by subject. */
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
   * How many of these removals the mass guard counts among what the fleet's plans want. A rejected one counts for one
   * window more, as one that was made does, or a person's no to the first would let those pass that nobody ruled on yet;
   * after that it no longer does, or more rejections than the limit would hold every later loss for ever.
   */
  countOf(subjects: readonly string[], now: number): number {
    return subjects.filter((subject) => !this.#isOver(this.#bySubject.get(subject), now)).length;
  }

  /** The same for what the whole fleet would lose, without looking at each of it. */
  countIn(removals: Pick<InferredRemovals, 'total' | 'countOf'>, now: number): number {
    let count = removals.total;
    for (const [subject, rejection] of this.#bySubject)
      if (this.#isOver(rejection, now)) count -= removals.countOf(subject);
    return count;
  }

  #isOver(rejection: Rejection | undefined, now: number): boolean {
    return rejection !== undefined && !(Date.parse(rejection.at) > now - this.#windowMs);
  }
}
