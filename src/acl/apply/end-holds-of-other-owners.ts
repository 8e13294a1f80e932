import type { HoldDeps } from '../../apply/deps.js';
import { recordHolds } from '../../apply/record-holds.js';
import type { Cause } from '../../model/cause.js';
import { isLeftObjectsKey, leftObjectsKey } from '../../model/key.js';
import type { Journal } from '../../queue/journal.js';
import type { RevocationWindow } from '../../state/revocation-window.js';

interface Deps extends HoldDeps {
  readonly journal: HoldDeps['journal'] & Pick<Journal, 'read'>;
  readonly window: Pick<RevocationWindow, 'rejections'>;
}

/**
 * Ends the holds of objects without a client that an earlier owner had. These objects are foreign now, so no comparison
 * finds that the reason of their holds is gone. `holds`: of all keys.
 */
export async function endHoldsOfOtherOwners(
  holds: readonly { readonly key: string }[],
  cause: Cause,
  deps: Deps,
): Promise<void> {
  const own = leftObjectsKey(deps.world.mapping.owner);
  const others = holds.flatMap(({ key }) => (isLeftObjectsKey(key) && key !== own ? key : []));
  for (const key of new Set(others)) {
    deps.window.rejections.put(key, new Map());
    await recordHolds(key, await deps.journal.read(key), [], cause, deps);
  }
}
