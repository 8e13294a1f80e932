import type { Cause } from '../model/cause.js';
import { type Trigger, triggersOf } from '../model/trigger.js';
import type { Journal } from '../queue/journal.js';

/** Every key with a recorded and unsettled write, left by a crash or a lost answer. */
export async function pendingTriggers(
  cause: Cause,
  deps: { readonly journal: Pick<Journal, 'overview'> },
): Promise<readonly Trigger[]> {
  const { pendingKeys } = await deps.journal.overview({ limit: 0 });
  return triggersOf(pendingKeys, cause);
}
