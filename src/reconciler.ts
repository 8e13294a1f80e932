import type { Job } from './model/trigger.js';
import type { JobHandler, JobResult } from './queue/queue.js';
import { reconcileClient } from './reconcile/client.js';
import type { ReconcilerDeps } from './reconcile/deps.js';
import { reconcileDestination } from './reconcile/destination.js';
import { reconcileProvider } from './reconcile/provider.js';

/**
 * The one conductor. A client's job reads the client and sends its destinations on; a destination's job reads the
 * entry, plans, guards, records, writes and settles; a provider's job compares the whole directory.
 */
export function createReconciler(deps: ReconcilerDeps): JobHandler {
  return (job, signal) => run(job, deps, signal);
}

function run(job: Job, deps: ReconcilerDeps, signal: AbortSignal): Promise<JobResult> {
  switch (job.key.kind) {
    case 'client':
      return reconcileClient(job.key, job, deps, signal);
    case 'destination':
      return reconcileDestination(job.key, job, deps, signal);
    case 'provider':
      return reconcileProvider(job.key, job, deps, signal);
  }
}
