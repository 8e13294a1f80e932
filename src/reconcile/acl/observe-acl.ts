import { isAclWanted } from '../../apply/acl/acl-state.js';
import { SyncError } from '../../errors.js';
import type { Cause } from '../../model/cause.js';
import type { Trigger } from '../../model/trigger.js';
import type { ReconcilerDeps } from '../deps.js';
import { keysOf, readAllAcl } from './fleet-acl.js';

/**
 * Reads ACL objects after a watch woke; triggers for the keys under whose names something else stands than was last
 * read or written. The first look only takes in what is there: the complete comparison plans all of it.
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
    // What is left of an earlier configuration, and may not be looked at, is the comparison's to tell.
    if (error instanceof SyncError && error.code === 'ERR_CONSUL_DENIED' && !isAclWanted(deps.world.mapping))
      return [];
    throw error;
  }
}
