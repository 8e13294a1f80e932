import type { AclPolicy, AclSnapshot } from '../../model/acl.js';
import { isOurs } from '../../plan/object-names.js';
import type { AclDeps } from './deps.js';

type Deps = Pick<AclDeps, 'consul' | 'world' | 'acl'>;

/** Whether a policy exists as wanted, by the last read or write. Clients share policies, and any job may create one. */
export function isKnownPolicy(policy: AclPolicy, { acl, world }: Pick<Deps, 'world' | 'acl'>): boolean {
  return isAsDesired(policy, acl.cache.snapshot([], [policy.name]), world.mapping.owner);
}

/** The same from a fresh read. */
export async function readPolicy(policy: AclPolicy, deps: Deps, signal: AbortSignal): Promise<boolean> {
  const read = deps.world.beginRead();
  const snapshot = await deps.consul.acl.readNamed([], [policy.name], signal);
  deps.acl.cache.put([], [policy.name], snapshot, read);
  return isAsDesired(policy, snapshot, deps.world.mapping.owner);
}

function isAsDesired(policy: AclPolicy, { policies }: AclSnapshot, owner: string): boolean {
  const [found] = policies;
  return (
    found !== undefined &&
    !found.isAltered &&
    found.object.rules === policy.rules &&
    isOurs(owner, found.object.name, found.object.description)
  );
}
