import { messageOf, SyncError } from '../../errors.js';
import type { AclSnapshot } from '../../model/acl.js';
import { definedFields } from '../../model/defined-fields.js';
import { asPlanned } from '../../reconcile/as-planned.js';
import type { AclJobDeps } from '../../reconcile/deps.js';
import { type AclApplication, applyAcl } from '../apply/apply-acl.js';
import type { AclChange } from '../plan/acl-change.js';
import { isStillUnlinked, unlinkedPolicies } from '../state/unlinked-policies.js';

/**
 * Removes the policies that a job has just unlinked and that no role links any more, so that the next plan is empty. What
 * another job may link, and what fails, waits for the complete comparison: such a policy gives nobody anything.
 */
export async function removeUnlinked(
  before: AclSnapshot,
  made: readonly AclChange[],
  application: Pick<AclApplication, 'key' | 'cause' | 'lastApplied'>,
  deps: AclJobDeps,
  signal: AbortSignal,
): Promise<void> {
  const { acl, world, logger } = deps;
  const loss = made.find(({ narrows }) => narrows);
  if (loss === undefined || !acl.cache.isComplete) return;
  const names = new Set(
    before.roles.flatMap(({ object }) => object.policies.map((name) => name.toLowerCase())),
  );
  const policies = new Map([...acl.cache.policies].filter(([name]) => names.has(name)));
  const { changes } = unlinkedPolicies([], { cache: { owned: acl.cache.owned, policies } }, world.mapping);
  const { reason, scopes, client, approvedBy } = loss;
  const whose = definedFields({ client, approvedBy });
  const removals = changes
    .filter((change) => isStillUnlinked(change, deps))
    .map((change) => ({ ...change, reason, scopes, ...whose }));
  if (removals.length === 0) return;
  const isPlanned = asPlanned(deps);
  const isAsPlanned = (change: AclChange) => isPlanned(change) && isStillUnlinked(change, deps);
  try {
    await applyAcl({ ...application, changes: removals, isAsPlanned }, deps, signal);
  } catch (error) {
    if (!(error instanceof SyncError) || signal.aborted) throw error;
    logger.warn({ error: messageOf(error) }, 'a policy that nothing links is removed by the next comparison');
  }
}
