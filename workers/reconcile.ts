import { setMaxListeners } from 'node:events';
import type { Progress } from '../src/daemon/progress.js';
import { messageOf } from '../src/errors.js';
import { withLinkedSignal } from '../src/linked-signal.js';
import type { Agenda } from '../src/queue/agenda.js';
import type { AgendaHandler } from '../src/queue/follow-ups.js';
import type { Queue } from '../src/queue/queue.js';
import { NO_FOLLOW_UPS, type ReconcilerDeps } from '../src/reconcile/deps.js';
import { throughOutages } from '../src/reconcile/outages.js';
import { compareQuarantines } from '../src/reconcile/quarantine-records.js';
import { createReconciler } from '../src/reconcile/reconciler.js';
import { restoreMemory } from '../src/reconcile/restore.js';
import { leftoverTriggers, readConsul } from '../src/reconcile/sweep.js';
import { Stopped, untilStop } from '../src/reconcile/until-stop.js';
import { Outage } from '../src/repeat.js';

const RETRY_MS = 1_000;

/** What a term does at its beginning: `onPrepared` is called when jobs can run, and `hold` may let some of them wait. */
interface Beginning {
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
  { onPrepared, hold }: Beginning = { onPrepared: () => {}, hold: (handler) => handler },
): Promise<void> {
  const either = AbortSignal.any([signal, lost]);
  // Each running job listens to them. Node would report more than ten listeners as a leak.
  for (const each of [signal, lost]) setMaxListeners(0, each);
  if (!(await prepare(deps, either))) return;
  onPrepared();
  const onOverload = () => agenda.overloaded();
  const stoppable = { ...deps, ...untilStop(deps, signal) };
  const reading = throughOutages(createReconciler(stoppable), { ...deps, onOverload });
  const handler: AgendaHandler = (job, stop, follow) =>
    withLinkedSignal([stop, lost], (until) => reading(job, until, follow)).catch((error: unknown) => {
      if (error instanceof Stopped) return { kind: 'retry', afterMs: 0 };
      throw error;
    });
  await Promise.all([
    agenda.work(progress.observe(hold(handler)), either),
    agenda.workDurable(queue, either),
  ]);
}

/** False if the signal aborted first. */
async function prepare(deps: ReconcilerDeps, signal: AbortSignal): Promise<boolean> {
  const outage = new Outage();
  while (!signal.aborted) {
    try {
      const restored = restoreMemory(deps);
      // Both end before the next try.
      // Everything is new in the first read. The complete comparison plans it, after the jobs that wait.
      const reading = readConsul({ ...deps, queue: NO_FOLLOW_UPS }, signal, restored);
      await Promise.allSettled([restored, reading]);
      await reading;
      // Before the first plan: a store that was lost must not open a client in quarantine.
      await compareQuarantines('retry', deps, signal);
      await queueLeftovers(deps);
      outage.ends(deps.clock.now());
      return true;
    } catch (error) {
      if (signal.aborted) return false;
      if (outage.begins(deps.clock.now()))
        deps.logger.warn(
          { error: messageOf(error) },
          'waiting for Consul before the first job; nothing changes until then',
        );
      await deps.clock.sleep(RETRY_MS, signal).catch(() => {});
    }
  }
  return false;
}

/** Queues every key that has a recorded decision without a settlement. */
async function queueLeftovers(deps: ReconcilerDeps): Promise<void> {
  const cause = { kind: 'retry' as const, receivedAt: new Date(deps.clock.now()).toISOString() };
  const triggers = await leftoverTriggers(cause, deps);
  if (triggers.length > 0) await deps.queue.add(triggers);
}
