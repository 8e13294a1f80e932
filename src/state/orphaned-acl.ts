import { type AclPlan, aclSubject } from '../plan/acl/acl-change.js';
import { diffAcl } from '../plan/acl/diff-acl.js';
import { NOTHING_DESIRED } from '../plan/acl/login.js';
import { policyOf } from '../plan/mode.js';
import type { AclCache } from './acl-cache.js';
import { type AclOwners, ownersOf } from './acl-owners.js';
import type { WorldState } from './world-state.js';

/** What this process knows about clients and their ACL objects. */
export interface KnownAcl {
  readonly world: WorldState;
  readonly acl: { readonly cache: AclCache; readonly owners: AclOwners };
}

/**
 * The owned client objects whose client is unknown, each by the subject of its loss: the client ID did not fit into the
 * Description, and no known or closed client has this name. Undefined while objects or a directory are incomplete, because its
 * clients may have these names. Without any such name nothing else is looked at: every count of the mass guard asks this.
 */
export function orphanedObjects(deps: KnownAcl): ReadonlyMap<string, string> | undefined {
  const { world, acl } = deps;
  ownersOf(deps);
  const { unnamed } = acl.owners;
  if (unnamed.size === 0) return acl.cache.isComplete ? new Map() : undefined;
  const isUnknown = unknownNames(world);
  return (
    isUnknown &&
    new Map([...unnamed].filter(isUnknown).map((name) => [subjectOf(name, acl.cache), name] as const))
  );
}

/** Whether the client of unnamed objects is still unknown. */
export function isStillOrphaned(name: string, { world }: Pick<KnownAcl, 'world'>): boolean {
  return unknownNames(world)?.(name) === true;
}

/** The removal of the objects with this name. */
export function planOrphaned(name: string, { world, acl }: KnownAcl): AclPlan {
  return diffAcl({
    owner: world.mapping.owner,
    plansNarrowing: policyOf(world.mapping).plansNarrowing,
    desired: NOTHING_DESIRED,
    actual: acl.cache.snapshot([name], []),
    mayRemove: () => true,
    why: () => ({ reason: 'ClientDeleted', isInferred: true, scopes: [] }),
    lastApplied: new Map(),
  });
}

/** The subject that the client's own job would use. */
function subjectOf(name: string, cache: AclCache): string {
  const { role, authMethod } = cache.of(name);
  return aclSubject('acl-role', (role ?? authMethod)?.object.name ?? name);
}

/** Whether a name is of no known client; undefined while clients may exist that are not known. */
function unknownNames(world: WorldState): ((name: string) => boolean) | undefined {
  const { owner, providers, select } = world.mapping;
  // The name may be of a client outside the selection.
  if (select?.limitsClients) return () => false;
  const { directories } = world;
  for (const provider of providers)
    if (!world.hasDirectory(provider) || directories.unreadableOf(provider).hasUnnamed) return undefined;
  return (name) => {
    // The job of a closed client removes what it has, for the reason of the order.
    if (world.closedNamed(name) !== undefined) return false;
    const client = world.clientNamed(name) ?? directories.unreadableNamed(name, owner);
    return client === undefined || !providers.includes(client.provider);
  };
}
