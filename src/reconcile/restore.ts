import { restoreRejections } from './approvals.js';
import { restoreClientBlocks } from './client-blocks.js';
import type { ReconcilerDeps } from './deps.js';
import { restoreJwksUris } from './jwt-provider-plans.js';

/** Takes in what earlier processes knew and no read tells, before anything is planned. */
export async function restoreMemory(deps: ReconcilerDeps): Promise<void> {
  // Losses are told apart from drift by what was written.
  for (const [key, { lastApplied }] of await deps.journal.readAll())
    deps.world.rememberWritten(key, lastApplied);
  await restoreClientBlocks(deps);
  await deps.acl.restore(deps.keyValues);
  await deps.window.restoreFrom(deps.keyValues);
  await restoreRejections(deps);
  await restoreJwksUris(deps);
}
