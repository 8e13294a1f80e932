import { isRefusal } from '../../apply/journaled-write.js';
import { messageOf, SyncError } from '../../errors.js';
import type { AclDeps } from './deps.js';

/** Whether Consul refused the removal of one object, which says nothing of the others. */
export function isOfOneObject(error: unknown): error is SyncError {
  return error instanceof SyncError && (isRefusal(error) || error.code === 'ERR_CONSUL_CONFLICT');
}

/** Reports the refused removals of one comparison. Its other objects are compared, or it would never be complete. */
export function reportRefusals(
  refusals: readonly SyncError[],
  { logger, metrics }: Pick<AclDeps, 'logger' | 'metrics'>,
): void {
  const [first] = refusals;
  if (first === undefined) return;
  const denied = refusals.filter(({ code }) => code === 'ERR_CONSUL_DENIED').length;
  if (denied > 0) metrics.count('scopemesh_acl_cleanup_denied_total', {}, denied);
  logger.warn(
    { refused: refusals.length, error: messageOf(first) },
    'Consul refuses the removal of ACL objects that nothing needs; the next comparison tries again',
  );
}
