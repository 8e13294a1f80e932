import type { AclChange } from '../../plan/acl/acl-change.js';
import { diffAcl } from '../../plan/acl/diff-acl.js';
import { NOTHING_DESIRED } from '../../plan/acl/login.js';
import { isBeyondLimit } from '../../plan/guards/revocation-limit.js';
import { budgetOf } from '../../state/fleet.js';
import { orphanedNames } from '../../state/orphaned-acl.js';
import type { ReconcilerDeps } from '../deps.js';
import { aclBudget } from './acl-budget.js';

/**
 * The removal of ACL objects of ours whose client is unknown, within the limit of the mass guard: their clients are missing
 * from a read, and no event can name them.
 */
export function orphanedObjects(
  deps: Pick<ReconcilerDeps, 'world' | 'acl' | 'window' | 'clock' | 'logger'>,
): readonly AclChange[] {
  const { world, acl, window, clock, logger } = deps;
  const { owner } = world.mapping;
  const names = orphanedNames(deps);
  if (names.length === 0) return [];
  const budget = budgetOf(world, window, clock.now(), () => names.length, aclBudget(deps, clock.now()));
  if (isBeyondLimit(budget)) {
    logger.error(
      { objects: names.length, used: budget.used },
      'ACL objects of deleted clients stay: the mass guard allows no more inferred removals',
    );
    return [];
  }
  window.addRemovals(names.length, clock.now());
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
