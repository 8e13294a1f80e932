import { needsAclObjects } from '../../apply/acl/acl-state.js';
import { SyncError } from '../../errors.js';
import type { Cause } from '../../model/cause.js';
import type { Trigger } from '../../model/trigger.js';
import { readAllAcl } from '../../read/read-acl.js';
import type { ReconcilerDeps } from '../deps.js';
import { keysOf } from './acl-triggers.js';

/**
 * Reads ACL objects after a watch saw a change. Triggers for the keys whose objects differ from the last read or write.
 * The first read triggers nothing: the complete comparison plans all objects.
 */
export async function observeAcl(
  deps: Pick<ReconcilerDeps, 'world' | 'acl' | 'consul'>,
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
