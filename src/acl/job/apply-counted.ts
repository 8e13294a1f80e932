import { recordHolds } from '../../apply/record-holds.js';
import { forgetRulings } from '../../operator/approvals.js';
import type { Guarded } from '../../plan/guards/guards.js';
import type { AclJobDeps } from '../../reconcile/deps.js';
import { type AclApplication, applyAcl } from '../apply/apply-acl.js';

/**
 * Makes the changes. Then it forgets the approvals that they used, and records the holds that are left. `concerns`: as in
 * `recordHolds`. Resolves with `stale` if the caller must plan again.
 */
export async function applyCounted(
  application: Omit<AclApplication, 'narrowed'>,
  { counted, used, holds }: Pick<Guarded<unknown, unknown>, 'counted' | 'used' | 'holds'>,
  concerns: (subject: string) => boolean,
  deps: AclJobDeps,
  signal: AbortSignal,
): Promise<'made' | 'stale'> {
  const { world, window, journal, keyValues, clock } = deps;
  const { key, cause } = application;
  await window.reserveStored(counted, clock.now(), keyValues);
  const narrowed = (isMade: boolean) => {
    for (const subject of counted)
      if (isMade) window.countEdge(subject, clock.now());
      else window.releaseEdge(subject);
  };
  if ((await applyAcl({ ...application, narrowed }, deps, signal)) === 'stale') return 'stale';
  const record = await journal.read(key);
  world.rememberWritten(key, record.lastApplied);
  await forgetRulings(used, deps);
  await recordHolds(key, record, holds, cause, deps, concerns);
  return 'made';
}
