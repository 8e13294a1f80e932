import type { MappingInForce } from '../model/replica.js';
import type { GrantReason } from '../plan/destination-input.js';

/**
 * Whether the mapping of this leader is in doubt: the last leader had another one, and nothing shows yet that this one is
 * meant to take its place. What this leader would open is held meanwhile.
 */
export class MappingDoubt {
  /** The mapping of the last leader while this one is in doubt. */
  former: MappingInForce | undefined;
  /** ISO 8601: the end of the first complete comparison of the term. What the identity provider changed later may open. */
  comparedAt: string | undefined;
  /** Why a plan without a job opens anything: the daemon that runs may have another mapping than the plan. */
  grantReason: GrantReason = 'ScopeGranted';
}
