import { clientName, isOurs } from '../plan/acl/object-names.js';
import type { AclCache, OwnedObjects } from './acl-cache.js';
import { clientOf } from './acl-owners.js';
import type { WorldState } from './world-state.js';

/** What a client's id ends in where it does not fit into a name as it is. */
const HASHED = /-_[0-9a-f]{40}$/;

/**
 * The names of clients' objects of ours that no longer say whose they are, because the client's id did not fit into a
 * Description, and that no known client has. None while a directory is not complete: its clients may have them.
 */
export function orphanedNames({
  world,
  acl,
}: {
  readonly world: WorldState;
  readonly acl: { readonly cache: AclCache };
}): readonly string[] {
  const { owner, providers } = world.mapping;
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
