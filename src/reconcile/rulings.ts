import type { Principal } from '../model/cause.js';
import { clientKey } from '../model/key.js';
import type { ClientId } from '../plan/world.js';
import { type RulingResult, ruleOnHold } from './approvals.js';
import { releaseQuarantine } from './client-blocks.js';
import type { ReconcilerDeps } from './deps.js';

export type Verdict = 'approve' | 'reject';

/** Decisions of people about holds and quarantines. */
export interface Rulings {
  /** By the ID of a `held` decision. `override`: an approval also releases what a person rejected. */
  onHold(decisionId: string, verdict: Verdict, by: Principal, override?: boolean): Promise<RulingResult>;
  /** Ends the quarantine of a client and queues it; false if it is not in one. */
  release(client: ClientId, by: Principal): Promise<boolean>;
}

/** `queue`: of the process that reconciles, this one or another. */
export function createRulings(
  deps: Omit<ReconcilerDeps, 'queue'> & { readonly queue: Pick<ReconcilerDeps['queue'], 'add'> },
): Rulings {
  return {
    onHold: (decisionId, verdict, by, override) =>
      ruleOnHold(decisionId, verdict === 'approve' ? 'approved' : 'rejected', by, deps, override),
    async release(client, by) {
      if (!(await releaseQuarantine(client, deps))) return false;
      const receivedAt = new Date(deps.clock.now()).toISOString();
      const cause = { kind: 'command' as const, receivedAt, principal: by };
      await deps.queue.add([{ key: clientKey(client.provider, client.clientId), cause }]);
      return true;
    },
  };
}
