import type { Job } from '../model/trigger.js';
import type { JobResult } from '../queue/queue.js';
import type { ReconcilerDeps } from './deps.js';

/** Between checks whether a directory was read completely: longer the longer it takes. */
const SOONEST_LOOK_MS = 500;
const LATEST_LOOK_MS = 10_000;

/** When a process first looked: an event may be old because no process was there, and then the read ends soon. */
const firstLooks = new WeakMap<object, number>();

/**
 * A plan from before the first complete read of a directory changes only what clients lose that were read alone. It may not
 * use all evidence of the identity provider, so the job stays in the queue. Otherwise the evidence would be lost when the
 * complete read shows a loss, and the mass guard would count the removal as inferred.
 */
export function jobResult(
  job: Job,
  deps: Pick<ReconcilerDeps, 'directories' | 'world' | 'clock'>,
): JobResult {
  const unused = job.triggers.filter(({ evidence }) =>
    evidence?.some(({ provider }) => deps.directories.has(provider) && !deps.world.hasDirectory(provider)),
  );
  const [oldest] = unused.map(({ cause }) => Date.parse(cause.receivedAt)).sort((a, b) => a - b);
  if (oldest === undefined) return { kind: 'done' };
  const now = deps.clock.now();
  const firstLook = firstLooks.get(deps.world) ?? now;
  firstLooks.set(deps.world, firstLook);
  const waitedMs = now - Math.max(oldest, firstLook);
  return { kind: 'retry', afterMs: Math.min(Math.max(waitedMs / 2, SOONEST_LOOK_MS), LATEST_LOOK_MS) };
}
