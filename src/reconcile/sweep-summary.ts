import { type ApplyDeps, type StampDeps, stampOf } from '../apply/deps.js';
import type { Cause } from '../model/cause.js';
import { plainDecision } from '../model/plain-decision.js';
import type { Mapping } from '../model/rule.js';

/** The result of a complete comparison. */
export interface SweepSummary {
  readonly destinations: number;
  /** Of these, the ones whose own job compares them; absent for 0. */
  readonly waiting?: number;
  readonly ownedEdges: number;
  readonly changes: number;
  readonly holds: number;
  /** Names and policies of ours in Consul's ACL; absent if ACL objects are not read. */
  readonly aclObjects?: number;
}

interface SummaryDeps extends Pick<ApplyDeps, 'journal' | 'metrics' | 'onSettled'>, StampDeps {
  readonly world: { readonly mapping: Pick<Mapping, 'owner' | 'revision'> };
}

/** Records the decision about a comparison, from which others see that it was made. */
export async function reportSweep(summary: SweepSummary, cause: Cause, deps: SummaryDeps): Promise<void> {
  const { owner } = deps.world.mapping;
  const decision = plainDecision(
    {
      resource: { kind: 'sweep', name: owner },
      verb: 'completed',
      subject: `sweep/${owner}`,
      outcome: 'observed',
      reason: 'SweepCompleted',
      cause,
      after: summary,
    },
    stampOf(deps),
  );
  await deps.journal.settle(`sweep/${owner}`, [decision]);
  deps.onSettled();
  deps.metrics.gauge('scopemesh_owned_edges', summary.ownedEdges);
  deps.metrics.gauge('scopemesh_sweep_age_seconds', 0);
}
