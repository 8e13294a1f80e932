import type { Clock } from '../../clock.js';
import type { Replica } from '../../model/replica.js';
import { ROSTER_LIFE_MS, type Roster } from '../roster.js';

/** One process alone can use a state directory, so nothing of it needs to be on disk. */
export function createEmbeddedRoster(clock: Clock): Roster {
  let shown: { readonly replica: Replica; readonly at: number } | undefined;
  return {
    async show(replica) {
      shown = { replica, at: clock.now() };
    },

    async leave(name) {
      if (shown?.replica.replica === name) shown = undefined;
    },

    async list() {
      if (shown === undefined) return [];
      const seenMs = Math.max(0, clock.now() - shown.at);
      return seenMs < ROSTER_LIFE_MS ? [{ ...shown.replica, seenMs }] : [];
    },
  };
}
