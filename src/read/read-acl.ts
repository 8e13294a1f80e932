import { pendingAcl } from '../acl/apply/recover-pending-acl.js';
import type { AclSnapshot } from '../model/acl.js';
import { hasOurName } from '../plan/object-names.js';
import type { KeyRecord } from '../queue/journal.js';
import type { AclReadDeps } from './deps.js';

/** Reads every ACL object with a name of ours. Resolves with the names whose objects changed. */
export async function readAllAcl(deps: AclReadDeps, signal: AbortSignal): Promise<ReadonlySet<string>> {
  const { world, acl, consul } = deps;
  const { owner } = world.mapping;
  const read = world.beginRead();
  return acl.cache.replaceAll(await consul.acl.read((name) => hasOurName(owner, name), signal), read);
}

/** Reads the objects with one name, and these policies. */
export async function readNamedAcl(
  name: string,
  policies: readonly string[],
  { world, acl, consul }: AclReadDeps,
  signal: AbortSignal,
): Promise<AclSnapshot> {
  const read = world.beginRead();
  const actual = await consul.acl.readNamed([name], policies, signal);
  acl.cache.put([name], policies, actual, read);
  return actual;
}

/** The policies whose write a crash or a lost answer left open. */
export function pendingPolicies(record: KeyRecord): readonly string[] {
  return pendingAcl(record).flatMap(({ resource }) =>
    resource.kind === 'acl-policy' && resource.name !== undefined ? [resource.name] : [],
  );
}
