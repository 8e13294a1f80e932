import { isPeoples } from '../acl/plan/plan-people.js';
import { peoplesNames, policiesOfPeople } from '../acl/state/people-acl.js';
import type { AclSnapshot } from '../model/acl.js';
import { hasOurName } from '../plan/object-names.js';
import type { AclReadDeps } from './deps.js';

/** Reads the objects of a provider's people, and the policies that they need or that are named. */
export async function readPeople(
  provider: string,
  named: readonly string[],
  deps: AclReadDeps,
  signal: AbortSignal,
): Promise<AclSnapshot> {
  const { owner } = deps.world.mapping;
  const policies = new Set([...policiesOfPeople(provider, deps), ...named].map((name) => name.toLowerCase()));
  const existing = new Set(peoplesNames(provider, deps));
  const read = deps.world.beginRead();
  const snapshot = await deps.consul.acl.read((name, description) => {
    const key = name.toLowerCase();
    return (
      hasOurName(owner, name) &&
      (policies.has(key) || existing.has(key) || isPeoples(owner, provider, name, description))
    );
  }, signal);
  const names = new Set([...existing, ...snapshot.roles.map(({ object }) => object.name.toLowerCase())]);
  deps.acl.cache.put(names, policies, snapshot, read);
  return snapshot;
}
