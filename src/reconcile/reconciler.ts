import { reconcilePeople } from '../acl/job/people.js';
import { endSessions } from '../acl/job/sessions.js';
import { lookAgain } from '../apply/look-again.js';
import { directoryKey, formatKey, type Key } from '../model/key.js';
import type { Job } from '../model/trigger.js';
import type { Traced } from '../observe.js';
import { adoptRequested } from '../operator/adopt-requested.js';
import { unendedRechecks } from '../plan/client-job.js';
import type { AgendaHandler } from '../queue/follow-ups.js';
import type { JobResult } from '../queue/queue.js';
import { reconcileClient } from './client.js';
import type { ProviderDeps, ReconcilerDeps } from './deps.js';
import { reconcileDestination } from './destination.js';
import { reconcileJwtProvider } from './jwt-providers.js';
import { reconcileProvider } from './provider.js';
import { runSettled } from './run-settled.js';

/**
 * Runs the job of each kind of key. A client's job reads the client and queues its destinations. A destination's job reads
 * the entry, plans, guards, records, writes and settles. A provider's job ends sessions, and writes its jwt-provider and
 * the objects of its people. A directory's job compares all of it.
 */
export function createReconciler(deps: ReconcilerDeps): AgendaHandler {
  return async (job, signal, queue) => {
    deps.revocations.begin(job);
    const began = deps.clock.now();
    const all = { ...deps, queue };
    let result: JobResult = { kind: 'retry', afterMs: 0 };
    try {
      result = await traced(job, deps, () => run(job, all, signal));
    } finally {
      if (result.kind !== 'done') queue.note(unendedRechecks(job));
    }
    if (result.kind === 'done') await adoptRequested(job.key, all, signal);
    await lookAgain(job.key, began, all);
    if (result.kind === 'done') deps.revocations.done(formatKey(job.key));
    return result;
  };
}

/** A job without a traced event is part of no trace. */
function traced<T>({ key, triggers }: Job, { tracing }: Traced, work: () => Promise<T>): Promise<T> {
  const traceparent = triggers.find(({ cause }) => cause.traceparent !== undefined)?.cause.traceparent;
  if (tracing === undefined || traceparent === undefined) return work();
  return tracing.begin('job', traceparent, { key: formatKey(key) }, work);
}

function run(job: Job, deps: ReconcilerDeps, signal: AbortSignal): Promise<JobResult> {
  switch (job.key.kind) {
    case 'client':
      return reconcileClient(job.key, job, deps, signal);
    case 'destination':
      return reconcileDestination(job.key, job, deps, signal);
    case 'provider':
      return runProvider(job.key, job, deps, signal);
    case 'directory':
      return reconcileProvider(job.key, job, deps, signal);
  }
}

/** Ended sessions go first. A failure of one part does not keep the other parts, and the clients, from being compared. */
async function runProvider(
  key: Extract<Key, { kind: 'provider' }>,
  job: Job,
  deps: ProviderDeps,
  signal: AbortSignal,
): Promise<JobResult> {
  const [sessions, people, users, clients] = [
    await runSettled(() => endSessions(key, job, deps, signal)),
    await runSettled(() => reconcilePeople(key, job, deps, signal)),
    await runSettled(() => reconcileJwtProvider(key.name, job, deps, signal)),
    await runSettled(() => compareDirectory(key.name, job, deps)),
  ];
  if (sessions.status === 'rejected') throw sessions.reason;
  if (clients.status === 'rejected') throw clients.reason;
  if (people.status === 'rejected') throw people.reason;
  if (users.status === 'rejected') throw users.reason;
  return people.value;
}

/** As a job of its own, so that a revocation does not wait until the read ends. */
async function compareDirectory(
  provider: string,
  job: Job,
  { queue }: Pick<ProviderDeps, 'queue'>,
): Promise<void> {
  if (!job.triggers.some(({ fullRead }) => fullRead)) return;
  const key = directoryKey(provider);
  await queue.add(job.triggers.map(({ order: _, ...trigger }) => ({ ...trigger, key })));
}
