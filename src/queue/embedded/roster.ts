import type { Clock } from '../../clock.js';
import type { Replica } from '../../model/replica.js';
import { ROSTER_LIFE_MS, type Roster, type SeenReplica } from '../roster.js';

/** One process alone can use a state directory, so nothing of it needs to be on disk. */
export class EmbeddedRoster implements Roster {
  readonly #clock: Clock;
  #shown: { readonly replica: Replica; readonly at: number } | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async show(replica: Replica): Promise<void> {
    this.#shown = { replica, at: this.#clock.now() };
  }

  async leave(name: string): Promise<void> {
    if (this.#shown?.replica.replica === name) this.#shown = undefined;
  }

  async list(): Promise<readonly SeenReplica[]> {
    if (this.#shown === undefined) return [];
    const seenMs = Math.max(0, this.#clock.now() - this.#shown.at);
    return seenMs < ROSTER_LIFE_MS ? [{ ...this.#shown.replica, seenMs }] : [];
  }
}
