import type { Job } from '../model/trigger.js';
import type { JobResult } from '../queue/queue.js';
import type { ReconcilerDeps } from './deps.js';

/** Between looks whether a directory has been read completely: longer the longer it takes. */
const SOONEST_LOOK_MS = 500;
const LATEST_LOOK_MS = 10_000;

/**
 * A plan made before a directory was read completely keeps what is and makes no use of what the IdP told of it. The
 * job stays, or its evidence would be gone when that read shows the loss, and the mass guard would hold for an
 * inference what was told.
 */
export function jobResult(job: Job, deps: ReconcilerDeps): JobResult {
  const untold = job.triggers.filter(({ evidence }) =>
    evidence?.some(({ provider }) => deps.directories.has(provider) && !deps.world.hasDirectory(provider)),
  );
  const [oldest] = untold.map(({ cause }) => Date.parse(cause.receivedAt)).sort((a, b) => a - b);
  if (oldest === undefined) return { kind: 'done' };
  const waitedMs = deps.clock.now() - oldest;
  return { kind: 'retry', afterMs: Math.min(Math.max(waitedMs / 2, SOONEST_LOOK_MS), LATEST_LOOK_MS) };
}
