import { isAclActive } from '../acl/apply/acl-state.js';
import { messageOf } from '../errors.js';
import type { Cause } from '../model/cause.js';
import { formatKey, type Key } from '../model/key.js';
import { serviceText } from '../plan/world.js';
import { adopt } from './adopt.js';
import { adoptAcl } from './adopt-acl.js';
import { type AdoptionDeps, commandOf } from './deps.js';

/** Adopts what people asked for at one key, in its turn and after its job, which settled what a crash had left. */
export async function adoptRequested(key: Key, deps: AdoptionDeps, signal: AbortSignal): Promise<void> {
  for (const { subjects, by, resolve, reject } of deps.adoptions.take(formatKey(key))) {
    if (signal.aborted) {
      reject(signal.reason);
      continue;
    }
    const cause = commandOf(by, deps);
    try {
      const adopted = await adoptAt(key, subjects, cause, deps, signal);
      // The next run ends the holds of what is adopted now.
      if (adopted > 0) await deps.queue.add([{ key, cause }]);
      resolve(adopted);
    } catch (error) {
      deps.logger.warn({ key: formatKey(key), error: messageOf(error) }, 'an adoption failed');
      reject(error);
    }
  }
  signal.throwIfAborted();
}

/** Adopts at one key what is among `subjects` and still equals the desired state. Resolves with the number of marks. */
async function adoptAt(
  key: Key,
  subjects: ReadonlySet<string>,
  cause: Cause,
  deps: AdoptionDeps,
  signal: AbortSignal,
): Promise<number> {
  if (key.kind !== 'destination')
    return isAclActive(deps) ? adoptAcl({ key, subjects }, cause, deps, signal) : 0;
  const name = { partition: key.partition, namespace: key.namespace, name: key.service };
  return deps.world.entries.has(serviceText(name)) ? adopt(name, cause, deps, signal, subjects) : 0;
}
