import { recordHolds } from '../apply/record-holds.js';
import type { Cause } from '../model/cause.js';
import { directoryKey, formatKey } from '../model/key.js';
import { clientSubject } from '../plan/plan.js';
import { MAX_REPORTED, unreadableHolds } from '../plan/unreadable-holds.js';
import type { ClientId } from '../plan/world.js';
import type { UnreadableDeps } from './deps.js';

/**
 * Records a hold for each client of a provider that cannot be read, and its end. `only`: reports this client alone, because
 * the others may be unknown before the first complete read.
 */
export async function reportUnreadable(
  provider: string,
  cause: Cause,
  deps: UnreadableDeps,
  only?: ClientId,
): Promise<void> {
  const { world, journal, metrics, logger } = deps;
  await world.unreadableMutex.run(provider, async () => {
    const unreadable = world.directories.unreadableOf(provider);
    const { size } = unreadable.clients;
    metrics.gauge('scopemesh_directory_unreadable_clients', size + (unreadable.hasUnnamed ? 1 : 0), {
      provider,
    });
    const key = formatKey(directoryKey(provider));
    const record = await journal.read(key);
    const known = new Set([...record.holds.values()].map(({ subject }) => subject));
    const concerns = only === undefined ? undefined : (subject: string) => subject === clientSubject(only);
    await recordHolds(key, record, unreadableHolds(provider, unreadable, known), cause, deps, concerns);
    if (size > MAX_REPORTED)
      logger.warn({ provider, unreadable: size, reported: MAX_REPORTED }, 'many clients cannot be read');
  });
}
