import { retryThroughOutages } from '../src/daemon/outages.js';
import type { Progress } from '../src/daemon/progress.js';
import { Stopped } from '../src/errors.js';
import type { Agenda } from '../src/queue/agenda.js';
import type { AgendaHandler } from '../src/queue/follow-ups.js';
import type { Queue } from '../src/queue/queue.js';
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

/** Runs jobs; at `lost` it aborts those that run. Before the first one, it reads Consul completely and queues the keys that a crash left pending. */
export async function runReconcile(
  deps: ReconcilerDeps,
  agenda: Agenda,
  queue: Pick<Queue, 'work'>,
  progress: Progress,
  signal: AbortSignal,
  lost: AbortSignal,
  { known, onPrepared, hold }: Beginning = { onPrepared: () => {}, hold: (handler) => handler },
): Promise<void> {
  const either = AbortSignal.any([signal, lost]);
  if (!(await prepare(deps, either))) return;
  await known;
  if (either.aborted) return;
  onPrepared();
  const onOverload = () => agenda.overloaded();
  const ended = { ...deps, ...stoppable(deps, signal) };
  const reading = retryThroughOutages(createReconciler(ended), { ...deps, onOverload });
  const handler: AgendaHandler = (job, stop, follow) =>
    reading(job, stop, follow).catch((error: unknown) => {
      if (error instanceof Stopped) return { kind: 'retry', afterMs: 0 };
      throw error;
    });
  await Promise.all([
    agenda.work(progress.observe(hold(handler)), either, lost),
    agenda.workDurable(queue, either),
  ]);
}
