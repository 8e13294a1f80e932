import type { AclPolicy } from '../../model/acl.js';
import { isOurs } from '../../plan/acl/quote.js';
import type { ReconcilerDeps } from '../deps.js';

/** Whether a policy stands already as it is wanted: several clients share it, and any of their jobs may make it. */
export async function standingPolicy(
  policy: AclPolicy,
  deps: Pick<ReconcilerDeps, 'consul' | 'world' | 'acl'>,
  signal: AbortSignal,
): Promise<boolean> {
  const { owner } = deps.world.mapping;
  const name = policy.name.toLowerCase();
  const read = deps.world.beginRead();
  const snapshot = await deps.consul.acl.readNamed([], [policy.name], signal);
  deps.acl.cache.put([], [name], snapshot, read);
  const [found] = snapshot.policies;
  return (
    found !== undefined &&
    !found.isAltered &&
    found.object.rules === policy.rules &&
    isOurs(owner, found.object.name, found.object.description)
  );
}
