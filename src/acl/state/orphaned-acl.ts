import { policyOf } from '../../plan/mode.js';
import { hashedPrefix, withoutHash } from '../../plan/object-names.js';
import type { WorldState } from '../../state/world-state.js';
import { type AclPlan, aclSubject } from '../plan/acl-change.js';
import { diffAcl } from '../plan/diff-acl.js';
import { NOTHING_DESIRED } from '../plan/login.js';
import type { AclCache } from './acl-cache.js';
import { type AclOwners, ownersOf } from './acl-owners.js';

/** What this process knows about clients and their ACL objects. */
export interface KnownAcl {
  readonly world: WorldState;
  readonly acl: { readonly cache: AclCache; readonly owners: AclOwners };
}

/** Client objects of ours that no Description names. */
export interface Orphans {
  /** The names of those whose client is unknown, by the subject of its loss. */
  readonly names: ReadonlyMap<string, string>;
  /** Whether the objects with this subject may have a client, because its directory was not read completely. */
  readonly isUndecided: (subject: string) => boolean;
}

/**
 * The owned client objects whose client is unknown: the client ID did not fit into the Description, and no known or closed
 * client has this name. Undefined while objects are incomplete. Without any such name nothing else is looked at: every
 * count of the mass guard asks this.
 */
export function orphanedObjects(deps: KnownAcl): Orphans | undefined {
  const { world, acl } = deps;
  ownersOf(deps);
  const { unnamed } = acl.owners;
  if (unnamed.size === 0) return acl.cache.isComplete ? NO_ORPHANS : undefined;
  const isUnknown = unknownNames(world);
  const names = new Map<string, string>();
  const undecided = new Set<string>();
  for (const name of unnamed) {
    const answer = isUnknown(name);
    if (answer === undefined) undecided.add(name);
    // The subject that the client's own job would use.
    else if (answer) names.set(aclSubject('acl-role', name), name);
  }
  return { names, isUndecided: (subject) => undecided.has(nameIn(subject)) };
}

const NO_ORPHANS: Orphans = { names: new Map(), isUndecided: () => false };

/** Whether the client of unnamed objects is still unknown. */
export function isStillOrphaned(name: string, { world }: Pick<KnownAcl, 'world'>): boolean {
  return unknownNames(world)(name) === true;
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

/** The name of a role or method, or of the method of a rule. */
function nameIn(subject: string): string {
  return decodeURIComponent(subject.split('/')[1] ?? '').toLowerCase();
}

/** Whether a name is of no known client; undefined while its provider may have clients that are not known. */
function unknownNames(world: WorldState): (name: string) => boolean | undefined {
  const { owner, providers, select } = world.mapping;
  // The name may be of a client outside the selection.
  if (select?.limitsClients) return () => false;
  const incomplete = incompleteProviders(world);
  return (name) => {
    // The job of a closed client removes what it has, for the reason of the order.
    if (world.closedNamed(name) !== undefined) return false;
    const client = world.clientNamed(name) ?? world.directories.unreadableNamed(name, owner);
    if (client !== undefined && providers.includes(client.provider)) return false;
    // The read of another provider's directory says nothing of it.
    return incomplete.has(withoutHash(name)) ? undefined : true;
  };
}

/** The providers whose directory may have clients that are not known, by what the names of their clients begin with. */
function incompleteProviders(world: WorldState): ReadonlyMap<string, string> {
  const { owner, providers } = world.mapping;
  return new Map(
    providers.flatMap((provider) =>
      world.hasDirectory(provider) && !world.directories.unreadableOf(provider).hasUnnamed
        ? []
        : [[hashedPrefix(owner, provider), provider] as const],
    ),
  );
}

/** Why it is not known whether the objects with this subject have a client; undefined if it is known. */
export function whyUndecided(subject: string, { world, acl }: KnownAcl): string | undefined {
  const provider = incompleteProviders(world).get(withoutHash(nameIn(subject)));
  if (provider === undefined || !acl.cache.isComplete) return undefined;
  return world.hasDirectory(provider)
    ? `the directory of ${provider} has a record without a readable client id`
    : `the directory of ${provider} is not read completely yet`;
}
