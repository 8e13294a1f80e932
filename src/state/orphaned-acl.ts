import { clientName, isOurs } from '../plan/acl/object-names.js';
import type { AclCache, OwnedObjects } from './acl-cache.js';
import { clientOf } from './acl-owners.js';
import type { WorldState } from './world-state.js';

/** The end of a name whose client ID is replaced by a hash. */
const HASHED = /-_[0-9a-f]{40}$/;

/**
 * The names of owned client objects whose client is unknown: the client ID did not fit into the Description, and no known
 * client has this name. Empty while a directory is incomplete, because its clients may have these names.
 */
export function orphanedNames({
  world,
  acl,
}: {
  readonly world: WorldState;
  readonly acl: { readonly cache: AclCache };
}): readonly string[] {
  const { owner, providers, select } = world.mapping;
  // The name may be of a client outside the selection.
  if (select?.limitsClients) return [];
  if (
    !providers.every((each) => world.hasDirectory(each) && !world.directories.unreadableOf(each).hasUnnamed)
  )
    return [];
  const candidates = [...acl.cache.owned].filter(
    ([name, objects]) =>
      HASHED.test(name) && isMarked(objects, owner) && clientOf(objects, owner) === undefined,
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

function isMarked({ role, authMethod }: OwnedObjects, owner: string): boolean {
  return [role?.object, authMethod?.object].some(
    (object) => object !== undefined && isOurs(owner, object.name, object.description),
  );
}
