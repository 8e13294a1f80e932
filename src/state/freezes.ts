import type { Freeze, FreezeSchedule } from '../model/freeze.js';
import { isOver, longestFreeze, scheduledFreeze } from '../plan/freeze.js';
import { Mutex } from './mutex.js';

/** The freezes of the configuration, and the one that a person started. */
export class Freezes {
  /** One begin or end at a time. */
  readonly mutex = new Mutex();
  readonly #schedules: () => readonly FreezeSchedule[];
  #started: Freeze | undefined;
  #known: {
    readonly second: number;
    readonly schedules: readonly FreezeSchedule[];
    readonly freeze: Freeze | undefined;
  } = { second: Number.NaN, schedules: [], freeze: undefined };

  /** `schedules`: as the configuration has them now. */
  constructor(schedules: () => readonly FreezeSchedule[]) {
    this.#schedules = schedules;
  }

  /** The freeze in effect. If several are, the one that ends last. */
  at(now: number): Freeze | undefined {
    return longestFreeze([this.scheduledAt(now), this.startedAt(now)]);
  }

  /** Every plan asks, so the answer for a second is kept: schedules begin and end at whole seconds. */
  scheduledAt(now: number): Freeze | undefined {
    const schedules = this.#schedules();
    const second = Math.floor(now / 1000);
    if (this.#known.second !== second || this.#known.schedules !== schedules) {
      const freeze = longestFreeze(schedules.map((each) => scheduledFreeze(each, now)));
      this.#known = { second, schedules, freeze };
    }
    return this.#known.freeze;
  }

  startedAt(now: number): Freeze | undefined {
    return this.#started !== undefined && isOver(this.#started, now) ? undefined : this.#started;
  }

  /** Returns the one before, also if its time is over. */
  start(freeze: Freeze | undefined): Freeze | undefined {
    const before = this.#started;
    this.#started = freeze;
    return before;
  }
}
