import type { AclChange } from '../../plan/acl/acl-change.js';
import { diffAcl } from '../../plan/acl/diff-acl.js';
import { NOTHING_DESIRED } from '../../plan/acl/login.js';
import { clientName, isOurs } from '../../plan/acl/quote.js';
import { isBeyondLimit } from '../../plan/guards/revocation-limit.js';
import type { StandingAcl } from '../../state/acl-cache.js';
import { clientOf } from '../../state/acl-owners.js';
import { budgetOf } from '../../state/fleet.js';
import type { ReconcilerDeps } from '../deps.js';
import { aclBudget } from './acl-budget.js';

/** What a client's id ends in where it does not fit into a name as it is. */
const HASHED = /-_[0-9a-f]{40}$/;

/**
 * The names of clients' objects of ours that no longer say whose they are, because the client's id did not fit into a
 * Description, and that no known client has. None while a directory is not complete: its clients may have them.
 */
export function namelessLeft({ world, acl }: Pick<ReconcilerDeps, 'world' | 'acl'>): readonly string[] {
  const { owner, providers } = world.mapping;
  if (
    !providers.every((each) => world.hasDirectory(each) && !world.directories.unreadableOf(each).hasUnnamed)
  )
    return [];
  const candidates = [...acl.cache.standing].filter(
    ([name, standing]) =>
      HASHED.test(name) && isMarked(standing, owner) && clientOf(standing, owner) === undefined,
  );
  if (candidates.length === 0) return [];
  const known = new Set(
    providers.flatMap((provider) =>
      [...world.clients(provider).keys(), ...world.directories.unreadableOf(provider).clients.keys()].map(
        (clientId) => clientName(owner, { provider, clientId }).toLowerCase(),
      ),
    ),
  );
  return candidates.map(([name]) => name).filter((name) => !known.has(name));
}

/** Their removal, within the limit of the mass guard: they are missing from a read, and no event can name them. */
export function namelessObjects(
  deps: Pick<ReconcilerDeps, 'world' | 'acl' | 'window' | 'clock' | 'logger'>,
): readonly AclChange[] {
  const { world, acl, window, clock, logger } = deps;
  const { owner } = world.mapping;
  const names = namelessLeft(deps);
  if (names.length === 0) return [];
  const budget = budgetOf(world, window, clock.now(), names.length, aclBudget(deps, clock.now()));
  if (isBeyondLimit(budget)) {
    logger.error(
      { objects: names.length, used: budget.used },
      'ACL objects of clients that are gone stay: the mass guard allows no more removals by inference',
    );
    return [];
  }
  window.take(names.length, clock.now());
  return diffAcl({
    owner,
    mode: 'enforce',
    desired: NOTHING_DESIRED,
    actual: acl.cache.snapshot(names, []),
    mayRemove: () => true,
    why: () => ({ reason: 'ClientDeleted', isInferred: true, scopes: [] }),
    lastWritten: new Map(),
  }).changes;
}

function isMarked({ role, authMethod }: StandingAcl, owner: string): boolean {
  return [role?.object, authMethod?.object].some(
    (object) => object !== undefined && isOurs(owner, object.name, object.description),
  );
}
