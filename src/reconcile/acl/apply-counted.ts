import { type AclApplication, applyAcl } from '../../apply/acl/apply-acl.js';
import type { KeyRecord } from '../../queue/journal.js';
import type { CountedDeps } from '../deps.js';

/**
 * Makes the changes, and resolves with the record after them, or with `stale` if the caller must plan again. `counted`: the
 * losses that the mass guard counts, by subject.
 */
export async function applyCounted(
  application: Omit<AclApplication, 'narrowed'>,
  counted: readonly string[],
  deps: CountedDeps,
  signal: AbortSignal,
): Promise<KeyRecord | 'stale'> {
  const { world, window, journal, keyValues, clock } = deps;
  for (const subject of counted) window.reserveEdge(subject, clock.now());
  if (counted.length > 0) await window.store(keyValues);
  const narrowed = (isMade: boolean) => {
    for (const subject of counted)
      if (isMade) window.confirmEdge(subject);
      else window.releaseEdge(subject);
  };
  if ((await applyAcl({ ...application, narrowed }, deps, signal)) === 'stale') return 'stale';
  const record = await journal.read(application.key);
  world.rememberWritten(application.key, record.lastApplied);
  return record;
}
