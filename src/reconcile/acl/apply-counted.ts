import { type AclApplication, applyAcl } from '../../apply/acl/apply-acl.js';
import type { AclDeps } from '../../apply/acl/deps.js';
import type { KeyRecord } from '../../queue/journal.js';
import type { RevocationWindow } from '../../state/revocation-window.js';
import type { WorldState } from '../../state/world-state.js';

export interface CountedDeps extends AclDeps {
  readonly world: WorldState;
  readonly window: RevocationWindow;
}

/** Makes the changes, and resolves with the record after them. `counted`: the losses that the mass guard counts, by subject. */
export async function applyCounted(
  application: Omit<AclApplication, 'narrowed'>,
  counted: readonly string[],
  deps: CountedDeps,
  signal: AbortSignal,
): Promise<KeyRecord> {
  const { world, window, journal, keyValues, clock } = deps;
  for (const subject of counted) window.reserveEdge(subject, clock.now());
  if (counted.length > 0) await window.store(keyValues);
  const narrowed = (isMade: boolean) => {
    for (const subject of counted)
      if (isMade) window.confirmEdge(subject);
      else window.releaseEdge(subject);
  };
  await applyAcl({ ...application, narrowed }, deps, signal);
  const record = await journal.read(application.key);
  world.rememberWritten(application.key, record.lastApplied);
  return record;
}
