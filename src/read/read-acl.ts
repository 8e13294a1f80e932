import { hasOurName } from '../plan/acl/object-names.js';
import type { ReadDeps } from './deps.js';

/** Reads every ACL object with a name of ours. Resolves with the names whose objects changed. */
export async function readAllAcl(
  deps: Pick<ReadDeps, 'world' | 'acl' | 'consul'>,
  signal: AbortSignal,
): Promise<ReadonlySet<string>> {
  const { world, acl, consul } = deps;
  const { owner } = world.mapping;
  const read = world.beginRead();
  return acl.cache.replaceAll(await consul.acl.read((name) => hasOurName(owner, name), signal), read);
}
