import { restoreRejections } from './approvals.js';
import { restoreClosures } from './closures.js';
import type { ReconcilerDeps } from './deps.js';
import { restoreJwksUris } from './jwt-provider-plans.js';

/** Takes in what earlier processes knew and no read tells, before anything is planned. */
export async function restoreMemory(deps: ReconcilerDeps): Promise<void> {
  // Losses are told apart from drift by what was written.
  for (const [key, { lastWritten }] of await deps.journal.readAll())
    deps.world.rememberWritten(key, lastWritten);
  await restoreClosures(deps);
  await deps.acl.restore(deps.facts);
  await deps.window.restoreFrom(deps.facts);
  await restoreRejections(deps);
  await restoreJwksUris(deps);
}
