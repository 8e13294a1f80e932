import type { BreakGlass } from '../model/break-glass.js';
import type { ServiceName } from '../model/intention.js';
import { destinationOf, isOfEdge, sourceOf } from '../plan/break-glass.js';
import type { BreakGlassFacts } from '../plan/destination-input.js';
import { serviceText } from '../plan/world.js';
import { Mutex } from './mutex.js';

/** The break-glass grants, open or not. Their number is limited where they are made. */
export class BreakGlasses {
  /** One change at a time. */
  readonly mutex = new Mutex();
  readonly #touch: (source: ServiceName, destination: ServiceName) => void;
  #grants: readonly BreakGlass[] = [];
  #lastNow = Number.NEGATIVE_INFINITY;
  #aheadMs = 0;

  /** `touch`: called for each edge of a grant before and after a change. */
  constructor(touch: (source: ServiceName, destination: ServiceName) => void) {
    this.#touch = touch;
  }

  get all(): readonly BreakGlass[] {
    return this.#grants;
  }

  /** Replaces the grants. The caller lets the destinations of those before and those now be planned. */
  set(grants: readonly BreakGlass[]): void {
    const both = [...this.#grants, ...grants];
    this.#grants = grants;
    for (const each of both) this.#touch(sourceOf(each), destinationOf(each));
  }

  /** `at`: an instant of an earlier process. */
  begin(at: number): void {
    this.#lastNow = Math.max(this.#lastNow, at);
  }

  /**
   * The time by which grants end: by the clock, but a clock that was set back since the last call does not prolong any. For
   * one caller, in the order of time.
   */
  advance(now: number): number {
    if (now < this.#lastNow) this.#aheadMs += this.#lastNow - now;
    this.#lastNow = now;
    return now + this.#aheadMs;
  }

  /** The same without a call of `advance`. */
  timeAt(now: number): number {
    return now + this.#aheadMs;
  }

  factsOf(destination: ServiceName, now: number): BreakGlassFacts {
    const grants =
      this.#grants.length === 0
        ? NONE
        : this.#grants.filter((each) => isOfEdge(each, sourceOf(each), destination));
    return { grants, now: this.timeAt(now) };
  }

  /** The destinations of a source, by `serviceText`. */
  destinationsOf(source: ServiceName): readonly ServiceName[] {
    const text = serviceText(source);
    return this.#grants.flatMap((each) => (serviceText(sourceOf(each)) === text ? destinationOf(each) : []));
  }
}

const NONE: readonly BreakGlass[] = [];
