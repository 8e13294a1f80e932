import { type AclChange, aclSubject } from '../../plan/acl/acl-change.js';
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
  const subjects = new Set(names.map((name) => aclSubject('acl-role', name)));
  const budget = fleetBudget(deps, now, {
    ...counted,
    planned: counted.planned + names.length,
    begun: counted.begun + window.usedOf((subject) => subjects.has(subject), now),
  });
  if (isBeyondLimit(budget)) {
    logger.error(
      { objects: names.length, used: budget.used },
      'ACL objects of deleted clients stay: the mass guard allows no more inferred removals',
    );
    return [];
  }
  // No plan of the fleet has them, so they count at once.
  for (const subject of subjects) {
    window.reserveEdge(subject, now);
    window.confirmEdge(subject);
  }
  await window.store(deps.keyValues);
  // The client of one may have been read meanwhile.
  const still = new Set(orphanedNames(deps));
  return diffAcl({
    owner,
    plansNarrowing: true,
    desired: NOTHING_DESIRED,
    actual: acl.cache.snapshot(
      names.filter((name) => still.has(name)),
      [],
    ),
    mayRemove: () => true,
    why: () => ({ reason: 'ClientDeleted', isInferred: true, scopes: [] }),
    lastApplied: new Map(),
  }).changes;
}
