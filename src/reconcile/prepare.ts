import { isoInstant } from '../clock.js';
import { messageOf } from '../errors.js';
import { compareQuarantines } from '../operator/quarantine-records.js';
import { readConsul } from '../read/read-consul.js';
import { readRecorded } from '../read/read-recorded.js';
import { Outage } from '../repeat.js';
import type { PrepareDeps } from './deps.js';
import { recordOpeningBalance } from './opening-balance.js';
import { pendingTriggers } from './pending-triggers.js';
import { restoreMemory } from './restore.js';

const RETRY_MS = 1_000;
const [CONSUL, WHAT] = [{ kind: 'consul' } as const, 'first read'];

/**
 * Makes the world ready for the first job of a term: restores what earlier processes knew, reads Consul completely, and queues
 * the keys that a crash left pending. Tries until it succeeds. False if the signal aborted first. `onNarrowing`: Consul cannot be
 * read completely, but what is recorded can be read: from now on jobs that only narrow may run.
 */
export async function prepare(
  deps: PrepareDeps,
  signal: AbortSignal,
  onNarrowing: () => void,
): Promise<boolean> {
  const outage = new Outage();
  let isRestored = false;
  while (!signal.aborted) {
    try {
      // Once: jobs that narrow change this memory.
      const restored: Promise<void> = isRestored ? Promise.resolve() : restoreMemory(deps);
      // Both end before the next try.
      // Everything is new in the first read. The complete comparison plans it, after the jobs that wait.
      const reading = readConsul(deps, signal, restored);
      const [memory] = await Promise.allSettled([restored, reading]);
      isRestored = memory.status === 'fulfilled';
      await reading;
      // Before the first plan: a store that was lost must not open a client in quarantine.
      await compareQuarantines('retry', deps, signal);
      await recordOpeningBalance(deps, signal);
      await queuePending(deps);
      deps.world.narrowsOnly = false;
      outage.ends(deps.clock.now());
      deps.reads.succeeded(CONSUL, WHAT);
      return true;
    } catch (error) {
      if (signal.aborted) return false;
      deps.reads.failed(CONSUL, WHAT, messageOf(error), deps.clock.now());
      if (outage.begins(deps.clock.now()))
        deps.logger.warn(
          { error: messageOf(error) },
          'waiting for a complete read of Consul; until then nothing opens, and at most recorded edges close',
        );
      if (isRestored && !deps.world.narrowsOnly) await beginNarrowing(deps, onNarrowing, signal);
      await deps.clock.sleep(RETRY_MS, signal).catch(() => {});
    }
  }
  return false;
}

/** Queues every key that has a recorded decision without a settlement. */
async function queuePending(deps: PrepareDeps): Promise<void> {
  const cause = { kind: 'retry' as const, receivedAt: isoInstant(deps.clock) };
  const triggers = await pendingTriggers(cause, deps);
  if (triggers.length > 0) await deps.queue.add(triggers);
}

/**
 * Quarantines come before the first job, which may end one that the store knows, and delete the record of a newer one with it.
 * They come last here, because a comparison that is tried again adopts the same quarantines again.
 */
async function beginNarrowing(
  deps: PrepareDeps,
  onNarrowing: () => void,
  signal: AbortSignal,
): Promise<void> {
  try {
    await readRecorded(deps, signal);
    await compareQuarantines('retry', deps, signal);
    deps.world.narrowsOnly = true;
    onNarrowing();
  } catch (error) {
    deps.logger.debug({ error: messageOf(error) }, 'recorded edges cannot be read by themselves either');
  }
}
