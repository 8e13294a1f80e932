import { messageOf, SyncError } from '../../errors.js';
import { isAclWanted } from './acl-state.js';
import type { AclDeps } from './deps.js';

/**
 * Runs work with ACL objects. Where nothing of Consul's ACL is wanted any more, that the ACL token may not do it is told
 * and no failure: what was written with another token cannot be cleaned up without. Undefined then.
 */
export async function tolerateDenied<T>(
  work: () => Promise<T>,
  deps: Pick<AclDeps, 'world' | 'logger' | 'metrics'>,
): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (
      !(error instanceof SyncError) ||
      error.code !== 'ERR_CONSUL_DENIED' ||
      isAclWanted(deps.world.mapping)
    )
      throw error;
    deps.metrics.count('scopemesh_acl_cleanup_denied_total');
    deps.logger.warn(
      { error: messageOf(error) },
      'ACL objects of an earlier configuration may be left, and the ACL token may not remove them; give it acl:write once more, or remove them by hand',
    );
    return undefined;
  }
}
