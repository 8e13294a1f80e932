import { messageOf } from '../../errors.js';
import type { ReconcilerDeps } from '../../reconcile/deps.js';
import { needsAclObjects } from '../apply/acl-state.js';
import { countTokens } from '../plan/token-report.js';

/**
 * Measures how many ACL tokens of each kind exist, so that the static ones can be reduced to none. scopemesh's own token,
 * which no login can replace, does not count. Only if the mapping gives out tokens. A failed read is logged and stops
 * nothing.
 */
export async function noteTokens(
  { consul, world, metrics, logger }: Pick<ReconcilerDeps, 'consul' | 'world' | 'metrics' | 'logger'>,
  signal: AbortSignal,
): Promise<void> {
  if (!needsAclObjects(world.mapping)) return;
  try {
    const own = await consul.readAclToken(signal);
    const tokens = await consul.acl.tokens('all', signal);
    const counts = countTokens(tokens.filter(({ accessorId }) => accessorId !== own?.accessorId));
    for (const [kind, count] of Object.entries(counts))
      metrics.gauge('scopemesh_acl_tokens', count, { kind });
  } catch (error) {
    if (!signal.aborted)
      logger.warn(
        { error: messageOf(error) },
        'the ACL tokens could not be counted; only the metric is missing',
      );
  }
}
