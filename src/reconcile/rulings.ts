import type { Principal } from '../model/cause.js';
import type { ClientId } from '../plan/world.js';
import { type RulingResult, ruleOnHold } from './approvals.js';
import type { ReconcilerDeps } from './deps.js';
import { decideRelease, quarantinedBy } from './quarantines.js';

export type Verdict = 'approve' | 'reject';

/** Decisions of people about holds and quarantines. */
export interface Rulings {
  /**
   * By the ID of a `held` decision, or of the decision about a quarantine. `override`: an approval also releases what a
   * person rejected.
   */
  onHold(decisionId: string, verdict: Verdict, by: Principal, override?: boolean): Promise<RulingResult>;
  /** Lets the job of a client end its quarantine; false if it is not in one. */
  release(client: ClientId, by: Principal): Promise<boolean>;
}

/** A quarantine, as commands name it. */
export function quarantineSubject({ provider, clientId }: ClientId): string {
  return `quarantine of ${provider}/${clientId}`;
}

/** `queue`: of the process that reconciles, this one or another. */
export function createRulings(
  deps: Omit<ReconcilerDeps, 'queue'> & { readonly queue: Pick<ReconcilerDeps['queue'], 'add'> },
): Rulings {
  return {
    async onHold(decisionId, verdict, by, override) {
      const isApproved = verdict === 'approve';
      const result = await ruleOnHold(decisionId, isApproved ? 'approved' : 'rejected', by, deps, override);
      if (!isApproved) return result;
      const client =
        result.kind === 'unsuitable'
          ? result.hold.client
          : result.kind === 'unknown'
            ? await quarantinedBy(decisionId, deps)
            : undefined;
      if (client === undefined || !(await decideRelease(client, by, deps))) return result;
      return { kind: 'ruled', hold: { subject: quarantineSubject(client) } };
    },
    release: (client, by) => decideRelease(client, by, deps),
  };
}
