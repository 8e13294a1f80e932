import { retryThroughOutages } from '../src/daemon/outages.js';
import type { Progress } from '../src/daemon/progress.js';
import { Stopped } from '../src/errors.js';
import type { Job } from '../src/model/trigger.js';
import { createNotifier } from '../src/notifier.js';
import { needsRead } from '../src/plan/client-job.js';
import { selectsClient } from '../src/plan/selection.js';
import type { Agenda } from '../src/queue/agenda.js';
import type { AgendaHandler } from '../src/queue/follow-ups.js';
import type { Queue } from '../src/queue/queue.js';
import { UNREAD } from '../src/reconcile/client.js';
import type { ReconcilerDeps } from '../src/reconcile/deps.js';
import { prepare } from '../src/reconcile/prepare.js';
import { createReconciler } from '../src/reconcile/reconciler.js';
import { stoppable } from '../src/reconcile/stoppable.js';

/** What a term does at its beginning: `onPrepared` is called when jobs can run, and `hold` may let some of them wait. */
interface Beginning {
  /** What must be known before the first job. */
  readonly known?: Promise<void>;
  readonly onPrepared: () => void;
  readonly hold: (handler: AgendaHandler) => AgendaHandler;
}

/**
 * Runs jobs, and aborts the running ones at `lost`. Before the first job it reads Consul completely and queues the keys that a
 * crash left pending. While Consul cannot be read completely, only jobs run that close what is recorded.
 */
export async function runReconcile(
  deps: ReconcilerDeps,
  agenda: Agenda,
  queue: Pick<Queue, 'work'>,
  progress: Progress,
  signal: AbortSignal,
  lost: AbortSignal,
  beginning: Beginning = { onPrepared: () => {}, hold: (handler) => handler },
): Promise<void> {
  const either = AbortSignal.any([signal, lost]);
  const jobs = runJobs(deps, agenda, progress, { signal, lost, either }, beginning);
  await Promise.all([jobs, queue.work(agenda, either, jobs)]);
}

async function runJobs(
  deps: ReconcilerDeps,
  agenda: Agenda,
  progress: Progress,
  { signal, lost, either }: Readonly<Record<'signal' | 'lost' | 'either', AbortSignal>>,
  { known, onPrepared, hold }: Beginning,
): Promise<void> {
  const narrowing = createNotifier();
  const begins = narrowing.wait(either);
  const preparing = prepare(deps, either, narrowing.notify);
  await Promise.race([preparing, begins]);
  await known;
  const prepared = preparing.then((isPrepared) => {
    if (!isPrepared || either.aborted) return;
    onPrepared();
    // What jobs could not do yet they do now.
    agenda.hurry();
  });
  if (!deps.world.narrowsOnly) await prepared;
  if (either.aborted) return;
  const onOverload = () => agenda.overloaded();
  const ended = { ...deps, ...stoppable(deps, signal) };
  const reading = retryThroughOutages(createReconciler(ended), { ...deps, onOverload });
  const handler: AgendaHandler = (job, stop, follow) =>
    reading(job, stop, follow).catch((error: unknown) => {
      if (error instanceof Stopped) return { kind: 'retry', afterMs: 0 };
      throw error;
    });
  const held = hold(handler);
  const first: AgendaHandler = async (job, stop, follow) => {
    if (!deps.world.narrowsOnly) return held(job, stop, follow);
    const result = mayNarrow(job, deps) ? await handler(job, stop, follow) : UNREAD;
    // Consul was read meanwhile.
    return result.kind === 'retry' && !deps.world.narrowsOnly ? { kind: 'retry', afterMs: 0 } : result;
  };
  await Promise.all([prepared, agenda.work(progress.observe(first), either, lost)]);
}

/** Whether this job closes what is recorded, if it does anything before Consul was read completely. */
function mayNarrow(job: Job, { directories, world }: Pick<ReconcilerDeps, 'directories' | 'world'>): boolean {
  const { key } = job;
  if (key.kind !== 'client') return key.kind === 'destination';
  if (!directories.has(key.provider) || !needsRead(job)) return false;
  return key.by !== 'clientId' || selectsClient(world.mapping, { clientId: key.value });
}
