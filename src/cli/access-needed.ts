import type { Config } from '../../config/config.js';
import type { AccessCheck } from '../identity/directory.js';

/** The permissions that this configuration needs: without `groups:`, those that only groups need are left out. */
export function accessNeeded(
  checks: readonly AccessCheck[],
  config: Pick<Config, 'groups'>,
): readonly AccessCheck[] {
  return checks.filter(({ forGroupsOnly }) => forGroupsOnly !== true || config.groups.length > 0);
}
