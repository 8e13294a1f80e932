import type { AclChange } from '../../plan/acl/acl-change.js';
import { diffAcl } from '../../plan/acl/diff-acl.js';
import { NOTHING_DESIRED } from '../../plan/acl/login.js';
import { isBeyondLimit } from '../../plan/guards/revocation-limit.js';
import { orphanedNames } from '../../state/orphaned-acl.js';
import type { ReconcilerDeps } from '../deps.js';
import { countFleetAhead } from '../guard-facts.js';
import { aclBudget, fleetBudget } from './acl-budget.js';

/**
 * The removal of ACL objects of ours whose client is unknown, within the limit of the mass guard: their clients are missing
 * from a read, and no event can name them.
 */
export async function orphanedObjects(
  deps: Pick<ReconcilerDeps, 'world' | 'acl' | 'window' | 'clock' | 'logger' | 'keyValues'>,
): Promise<readonly AclChange[]> {
  const { world, acl, window, clock, logger } = deps;
  const { owner } = world.mapping;
  if (orphanedNames(deps).length === 0) return [];
  await countFleetAhead(deps);
  const names = orphanedNames(deps);
  const now = clock.now();
  const counted = aclBudget(deps, now);
  const budget = fleetBudget(deps, now, { ...counted, planned: counted.planned + names.length });
  if (isBeyondLimit(budget)) {
    logger.error(
      { objects: names.length, used: budget.used },
      'ACL objects of deleted clients stay: the mass guard allows no more removals by inference',
    );
    return [];
  }
  window.addRemovals(names.length, now);
  await window.store(deps.keyValues);
  return diffAcl({
    owner,
    plansNarrowing: true,
    desired: NOTHING_DESIRED,
    actual: acl.cache.snapshot(names, []),
    mayRemove: () => true,
    why: () => ({ reason: 'ClientDeleted', isInferred: true, scopes: [] }),
    lastApplied: new Map(),
  }).changes;
}
