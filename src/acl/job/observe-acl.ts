import { SyncError } from '../../errors.js';
import type { Cause } from '../../model/cause.js';
import { clientKey, providerKey } from '../../model/key.js';
import type { Trigger } from '../../model/trigger.js';
import type { ClientId } from '../../plan/world.js';
import type { AclReadDeps } from '../../read/deps.js';
import { readAllAcl } from '../../read/read-acl.js';
import { needsAclObjects } from '../apply/acl-state.js';
import { isPeoplesName } from '../state/acl-cache.js';
import { clientOf, uniqueClients } from '../state/acl-owners.js';
import { providersOfPeople } from '../state/people-acl.js';

/**
 * Reads ACL objects after a watch saw a change. Triggers for the keys whose objects differ from the last read or write.
 * The first read triggers nothing: the complete comparison plans all objects.
 */
export async function observeAcl(
  deps: AclReadDeps,
  cause: Cause,
  signal: AbortSignal,
): Promise<readonly Trigger[]> {
  const isFirst = !deps.acl.cache.isComplete;
  try {
    const changed = await readAllAcl(deps, signal);
    return isFirst ? [] : keysOf(changed, deps, cause);
  } catch (error) {
    // The complete comparison reports objects of an earlier configuration that the ACL token may not read.
    if (
      error instanceof SyncError &&
      error.code === 'ERR_CONSUL_DENIED' &&
      !needsAclObjects(deps.world.mapping)
    )
      return [];
    throw error;
  }
}

/** Triggers for the keys whose objects changed in Consul: of clients, and of providers for people. */
export function keysOf(
  names: Iterable<string>,
  deps: Pick<AclReadDeps, 'world' | 'acl'>,
  cause: Cause,
): readonly Trigger[] {
  const { world, acl } = deps;
  const { owner } = world.mapping;
  const changed = new Set(names);
  // A client that names a service waits until no other role has its identity, and yields to some that have it too.
  const clients: ClientId[] = [...acl.cache.drainHolderChanges()].flatMap(world.namersOf);
  if (changed.size + clients.length === 0) return [];
  for (const name of changed) {
    // Objects that are gone, or lost their Description, are found by the names of known clients.
    for (const id of [clientOf(acl.cache.of(name), owner), world.clientNamed(name)])
      if (id !== undefined) clients.push(id);
  }
  const people = [...changed].some(isPeoplesName) ? providersOfPeople(deps) : [];
  const keys = [
    ...uniqueClients(clients).map((id) => clientKey(id.provider, id.clientId)),
    ...people.map((provider) => providerKey(provider)),
  ];
  return keys.map((key) => ({ key, cause, urgent: true }));
}
