import type { Freeze, FreezeSchedule } from '../model/freeze.js';
import { isOver, longestFreeze, scheduledFreeze } from '../plan/freeze.js';

/** The freezes of the configuration, and the one that a person started. */
export class Freezes {
  readonly #schedules: () => readonly FreezeSchedule[];
  #recorded: readonly Freeze[] = [];
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
    return this.#recorded.find((each) => each.kind === 'started' && !isOver(each, now));
  }

  /** By the store: the one that a person started, and the one of the schedule whose begin has a decision. */
  get all(): readonly Freeze[] {
    return this.#recorded;
  }

  set(recorded: readonly Freeze[]): void {
    this.#recorded = recorded;
  }
}
