import { messageOf, SyncError } from '../errors.js';
import { firstOf } from '../linked-signal.js';
import { createNotifier } from '../notifier.js';
import { policyOf } from '../plan/mode.js';
import type { ReconcilerDeps } from '../reconcile/deps.js';
import { Outage } from '../repeat.js';
import type { WatchAges } from './watch-ages.js';

const TIMES = {
  everyMs: 60_000,
  /** How long a write may take to reach the watch. */
  boundMs: 10_000,
};

/**
 * Writes a key of its own from time to time, and expects the watch on it to see the write. This proves the whole way of a
 * change: Consul commits it, wakes the query, and the answer arrives. If the write is not seen, all watches start again.
 * It proves the watch on KV alone; the other watches are compared with Consul one by one. In mode `observe` nothing is
 * written. Resolves when aborted.
 */
export async function runCanary(
  deps: Pick<ReconcilerDeps, 'consul' | 'world' | 'clock' | 'logger' | 'metrics'>,
  ages: WatchAges,
  signal: AbortSignal,
  { everyMs, boundMs } = TIMES,
): Promise<void> {
  const { consul, world, clock, logger, metrics } = deps;
  const [outage, silence] = [new Outage(), new Outage()];
  const notifier = createNotifier();
  let changes = 0;
  const changed = () => {
    changes += 1;
    notifier.notify();
  };
  const watching = ages.watch('canary', { changed, alive() {} }, consul, signal);
  const changeAfter = async (before: number, stop: AbortSignal) => {
    while (changes === before && !stop.aborted) await notifier.wait(stop);
  };
  const seesChangeAfter = async (before: number) => {
    await firstOf(signal, (stop) => [changeAfter(before, stop), clock.sleep(boundMs, stop).catch(() => {})]);
    return changes > before;
  };
  const prove = async () => {
    const before = changes;
    const startedAt = clock.now();
    try {
      await consul.canary.write(new Date(startedAt).toISOString(), signal);
    } catch (error) {
      if (signal.aborted || !(error instanceof SyncError)) throw error;
      if (outage.begins(clock.now()))
        logger.warn(
          { code: error.code, error: messageOf(error) },
          'the canary key cannot be written to Consul; if the ACL token may not, give it key_prefix "scopemesh/<owner>/" with policy write',
        );
      return;
    }
    outage.ends(clock.now());
    if (await seesChangeAfter(before)) {
      ages.alive('canary');
      metrics.time('scopemesh_consul_canary_seconds', (clock.now() - startedAt) / 1000);
      const lastedMs = silence.ends(clock.now());
      if (lastedMs !== undefined) logger.info({ lastedMs }, 'watches on Consul see writes again');
      return;
    }
    if (signal.aborted) return;
    metrics.count('scopemesh_consul_watch_restarts_total', { table: 'canary', reason: 'canary' });
    if (silence.begins(clock.now()))
      logger.warn(
        { boundMs },
        'a write to Consul was not seen by the watch: all watches start again; look for a proxy or an agent between scopemesh and Consul that holds back answers',
      );
    const atRestart = changes;
    ages.restart();
    // The first answer of a new watch has what was written before, and proves nothing about the next write.
    await changeAfter(atRestart, signal);
  };
  const proving = async () => {
    await changeAfter(0, signal);
    while (!signal.aborted) {
      await clock.sleep(everyMs, signal);
      if (policyOf(world.mapping).writes) await prove();
      else ages.forget('canary');
    }
  };
  await Promise.all([
    watching,
    proving().catch((error: unknown) => {
      if (!signal.aborted) throw error;
    }),
  ]);
}
