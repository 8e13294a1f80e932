import { isoInstant } from '../clock.js';
import { messageOf } from '../errors.js';
import { compareQuarantines } from '../operator/quarantine-records.js';
import { readConsul } from '../read/read-consul.js';
import { Outage } from '../repeat.js';
import type { PrepareDeps } from './deps.js';
import { recordOpeningBalance } from './opening-balance.js';
import { pendingTriggers } from './pending-triggers.js';
import { restoreMemory } from './restore.js';

const RETRY_MS = 1_000;
const [CONSUL, WHAT] = [{ kind: 'consul' } as const, 'first read'];

/**
 * Makes the world ready for the first job of a term: restores what earlier processes knew, reads Consul completely, and queues
 * the keys that a crash left pending. Tries until it succeeds. False if the signal aborted first.
 */
export async function prepare(deps: PrepareDeps, signal: AbortSignal): Promise<boolean> {
  const outage = new Outage();
  while (!signal.aborted) {
    try {
      const restored = restoreMemory(deps);
      // Both end before the next try.
      // Everything is new in the first read. The complete comparison plans it, after the jobs that wait.
      const reading = readConsul(deps, signal, restored);
      await Promise.allSettled([restored, reading]);
      await reading;
      // Before the first plan: a store that was lost must not open a client in quarantine.
      await compareQuarantines('retry', deps, signal);
      await recordOpeningBalance(deps, signal);
      await queuePending(deps);
      outage.ends(deps.clock.now());
      deps.reads.succeeded(CONSUL, WHAT);
      return true;
    } catch (error) {
      if (signal.aborted) return false;
      deps.reads.failed(CONSUL, WHAT, messageOf(error), deps.clock.now());
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
async function queuePending(deps: PrepareDeps): Promise<void> {
  const cause = { kind: 'retry' as const, receivedAt: isoInstant(deps.clock) };
  const triggers = await pendingTriggers(cause, deps);
  if (triggers.length > 0) await deps.queue.add(triggers);
}
