import type { BreakGlass } from '../model/break-glass.js';
import type { ServiceName } from '../model/intention.js';
import { EdgeRulings } from './edge-rulings.js';

/** The break-glass grants, and the time by which they end. */
export class BreakGlasses extends EdgeRulings<BreakGlass> {
  #lastNow = Number.NEGATIVE_INFINITY;
  #aheadMs = 0;

  constructor(touch: (source: ServiceName, destination: ServiceName) => void) {
    super((glass) => glass, touch);
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
}
