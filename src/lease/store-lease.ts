import { randomInt } from 'node:crypto';
import type { SyncError } from '../errors.js';
import type { Leader } from '../model/leader.js';
import type { Fence } from '../queue/fence.js';
import type { Lease } from './lease.js';

/** How this replica names itself; called at each attempt. */
export type DescribeReplica = () => Omit<Leader, 'epoch'>;

/** Why this replica must not lead; undefined if it may. Asked before each attempt. */
export type LeadCheck = (signal: AbortSignal) => Promise<SyncError | undefined>;

/** A part of the heartbeat's life is kept for the way of a request to Consul. */
const SAFE_PART = 0.8;

const EPOCHS = 1_000_000;

/** For how long a sign of life proves that no other replica on the store leads. */
export function storeProofMs(fence: Pick<Fence, 'lifeMs'>): number {
  return fence.lifeMs * SAFE_PART;
}

/** The lease of `observe`, which writes nothing to Consul: it holds among the replicas of one store. */
export function createStoreLease(fence: Fence, describe: DescribeReplica, check: LeadCheck): Lease {
  return {
    proofMs: storeProofMs(fence),
    silentMs: 0,

    async acquire(signal) {
      const fault = await check(signal);
      if (fault !== undefined) return { kind: 'refused', error: fault };
      const self = describe();
      // A store that forgot a raise must not give its epoch a second time: nothing else says that its leader has lost.
      const before = (await fence.read())?.leader;
      const above = (before?.epoch ?? 0) + randomInt(EPOCHS);
      const epoch = await fence.raise(self, { above, over: 'dead' });
      if (epoch !== undefined) return { kind: 'leads', leader: { ...self, epoch }, before };
      return { kind: 'follows', leader: (await fence.read())?.leader };
    },

    renew: (epoch) => fence.beat(epoch),

    async release(epoch) {
      await fence.rest(epoch).catch(() => {});
    },
  };
}
