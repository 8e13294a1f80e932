import { leaseLost } from '../../errors.js';
import { type Leader, parseLeader } from '../../model/leader.js';
import type { Fence } from '../fence.js';
import type { StateFile } from './state-file.js';

const NAME = 'lease';

export interface EmbeddedFence extends Fence {
  /** Throws ERR_LEASE_LOST unless the epoch is the store's. Call it inside the write that it guards. */
  check(epoch: number): void;
}

/**
 * The epoch of a state directory, among the facts of `journal.db`. The lock of the directory keeps every other process
 * away, so the epoch in memory is the one on disk, and the leader before this process is dead. The writes of every file
 * are checked against the epoch in memory.
 */
export function createEmbeddedFence(file: StateFile): EmbeddedFence {
  let leader = file.read(() =>
    parseLeader(file.sql('SELECT value FROM facts WHERE name = ?').first(NAME)?.text('value')),
  );
  let isAlive = false;
  return {
    lifeMs: Number.POSITIVE_INFINITY,

    check(epoch) {
      if (leader?.epoch !== epoch) throw leaseLost();
    },

    async raise(self, { above, over }) {
      if (over === 'dead' && isAlive) return undefined;
      const epoch = Math.max(leader?.epoch ?? 0, above) + 1;
      const next: Leader = { ...self, epoch };
      await file.write(() => {
        file.sql('INSERT OR REPLACE INTO facts (name, value) VALUES (?, ?)').run(NAME, JSON.stringify(next));
        // With the write: what any file writes after it is refused already.
        leader = next;
      });
      isAlive = true;
      return epoch;
    },

    beat: async (epoch) => leader?.epoch === epoch,

    async rest(epoch) {
      if (leader?.epoch === epoch) isAlive = false;
    },

    read: async () => leader && { leader, isAlive, pulses: [] },
  };
}
