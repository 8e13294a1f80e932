import type { Supervisor } from '../app/supervisor.js';
import type { Runtime } from '../runtime.js';

const CHECK_MS = 15_000;

/**
 * Checks regularly whether the daemon does its work, and tells the supervisor only as long as it does: a supervisor that
 * hears nothing starts the process again. Resolves when aborted.
 */
export async function runWatchdog(
  supervisor: Supervisor | undefined,
  /** What is stuck; undefined if nothing is. */
  stuck: () => string | undefined,
  { clock, logger, metrics }: Runtime,
  signal: AbortSignal,
): Promise<void> {
  // Half of the time, as sd_watchdog_enabled(3) recommends.
  const everyMs = Math.min(CHECK_MS, (supervisor?.watchdogMs ?? Number.POSITIVE_INFINITY) / 2);
  let logged: string | undefined;
  while (!signal.aborted) {
    const why = stuck();
    metrics.gauge('scopemesh_work_stuck', why === undefined ? 0 : 1);
    if (why !== undefined && why !== logged)
      logger.error(
        { why },
        'work is stuck; systemd gets no more signs of life. Keep the log and restart scopemesh',
      );
    if (why === undefined && logged !== undefined) logger.info({}, 'work goes on again');
    logged = why;
    if (why === undefined && supervisor?.watchdogMs !== undefined) await supervisor.tell('WATCHDOG=1');
    await clock.sleep(everyMs, signal).catch(() => {});
  }
}
