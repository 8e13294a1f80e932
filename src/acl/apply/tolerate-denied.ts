import { messageOf, SyncError } from '../../errors.js';
import { needsAclObjects } from './acl-state.js';
import type { AclDeps } from './deps.js';

/**
 * Runs work with ACL objects. If the mapping no longer wants ACL objects, a permission error is logged, not thrown:
 * objects that another token wrote cannot be cleaned up with this one. Resolves with undefined then.
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
      needsAclObjects(deps.world.mapping)
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
