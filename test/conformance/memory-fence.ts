import type { Leader } from '../../src/model/leader.js';
import type { Fence } from '../../src/queue/fence.js';

interface MemoryState {
  readonly leader: Leader | undefined;
  readonly pulses: readonly string[];
}

/** A store that several replicas share, in memory, as Redis keeps it. `lose`: the last epoch is forgotten. */
export interface MemoryFence extends Fence {
  /** The leader gives no sign of life for too long. */
  die(): void;
  /** Another store with the same content, where the leader gives no sign of life. */
  copy(): MemoryFence;
  /** A failover to a copy that had not got the last writes. */
  lose(epochs: number): void;
}

export function createMemoryFence(of?: MemoryState): MemoryFence {
  let leader = of?.leader;
  let isAlive = false;
  let pulses = of?.pulses ?? [];
  return {
    lifeMs: 3_000,
    async raise(next, { above, over }) {
      if (over === 'dead' && isAlive) return undefined;
      leader = { ...next, epoch: Math.max(leader?.epoch ?? 0, above) + 1 };
      isAlive = true;
      return leader.epoch;
    },
    async beat(epoch, pulse) {
      if (leader?.epoch !== epoch) return false;
      isAlive = true;
      if (pulse !== undefined && pulse !== pulses[0]) pulses = [pulse, ...pulses].slice(0, 2);
      return true;
    },
    async rest(epoch) {
      if (leader?.epoch === epoch) isAlive = false;
    },
    read: async () => leader && { leader, isAlive, pulses },
    die() {
      isAlive = false;
    },
    copy: () => createMemoryFence({ leader, pulses }),
    lose(epochs) {
      if (leader !== undefined) leader = { ...leader, epoch: leader.epoch - epochs };
    },
  };
}
