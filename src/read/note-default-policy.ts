import { messageOf } from '../errors.js';
import type { Metrics } from '../observe.js';
import type { ReadDeps } from './deps.js';

/** Measures and logs whether the mesh allows what no intention denies. A failed read stops nothing. */
export async function noteDefaultPolicy(
  { consul, acl, clock, logger, metrics }: ReadDeps & { readonly metrics: Metrics },
  signal: AbortSignal,
): Promise<void> {
  try {
    const { defaultPolicy, aclCache } = await consul.inspect(signal);
    acl.noteAgentCache(aclCache, clock.now());
    acl.defaultPolicy = defaultPolicy;
    metrics.gauge('scopemesh_consul_default_allow', defaultPolicy === 'allow' ? 1 : 0);
    if (defaultPolicy === 'allow') {
      logger.error(
        {},
        'the mesh allows what no intention denies: set acl.default_policy to deny, or a deny intention from * to *',
      );
    }
  } catch (error) {
    logger.debug({ error: messageOf(error) }, 'the default policy could not be read');
  }
}
