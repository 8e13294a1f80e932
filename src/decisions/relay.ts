import { messageOf } from '../errors.js';
import { firstOf, untilAborted } from '../linked-signal.js';
import type { Notifier } from '../notifier.js';
import { backoffMs } from '../repeat.js';
import type { Runtime } from '../runtime.js';
import { Checkpoints } from './checkpoints.js';
import { BATCH, Publication, type PublicationDeps } from './publication.js';

export interface RelayDeps extends PublicationDeps, Runtime {
  /** Notified when decisions were settled. */
  readonly settled: Pick<Notifier, 'wait'>;
  /** While it is true nothing is published; the journal keeps the decisions. */
  readonly isPaused?: () => boolean;
  /** Aborts when another replica publishes. Then nothing is drained. */
  readonly lost?: AbortSignal;
}

/** Another process may settle decisions without a signal here, so the outbox is checked at least this often. */
const POLL_MS = 1_000;
/**
 * After a batch that is not full the next one gathers, and longer while many decisions are made: each batch costs three
 * synced writes, and the processor time that the writes to Consul need then.
 */
const GATHER_MS = 50;
const BUSY_BATCH = 50;
const BUSY_GATHER_MS = 250;
const DRAIN_MS = 5_000;
const FIRST_WAIT_MS = 200;
const MAX_WAIT_MS = 10_000;

/**
 * Moves the journal's outbox to the decision log, in order, each decision exactly once, until the signal is aborted, and
 * then for up to 5 s more, so that a clean stop leaves nothing behind. Never throws: a failed batch is retried. Only one
 * relay at a time may work on a journal.
 */
export async function relay(deps: RelayDeps, stop: AbortSignal): Promise<void> {
  const signal = deps.lost === undefined ? stop : AbortSignal.any([stop, deps.lost]);
  const { settled, clock, logger, metrics, isPaused } = deps;
  const publication = new Publication(deps);
  const checkpoints = new Checkpoints(deps);
  let failures = 0;
  let logged: string | undefined;
  const attempt = async (): Promise<number | undefined> => {
    try {
      if (isPaused?.()) {
        await publication.measure();
        return 0;
      }
      const moved = await publication.moveBatch();
      if (failures > 0) logger.info({ failures }, 'decisions are published again');
      failures = 0;
      logged = undefined;
      return moved;
    } catch (error) {
      metrics.count('scopemesh_relay_failures_total');
      const reason = messageOf(error);
      // A new reason is logged as well: a missing permission often shows only after an outage has ended.
      if (reason !== logged) logger.error({ error: reason }, 'decisions cannot be published; they are kept');
      logged = reason;
      failures++;
      await publication.measure().catch(() => {}); // the journal may be what failed
      return undefined;
    }
  };
  const pause = async (moved: number | undefined): Promise<void> => {
    if (moved === undefined) await clock.sleep(backoffMs(failures, FIRST_WAIT_MS, MAX_WAIT_MS), signal);
    else if (moved === 0)
      // A settlement while the outbox was read is kept for this wait.
      await firstOf(signal, (either) => [settled.wait(either), clock.sleep(POLL_MS, either)]);
    else if (moved < BATCH) await clock.sleep(moved < BUSY_BATCH ? GATHER_MS : BUSY_GATHER_MS, signal);
  };

  const run = async () => {
    while (!signal.aborted) {
      const moved = await attempt();
      await checkpoints.signIfDue(publication.head);
      await pause(moved).catch(() => {});
    }
  };
  const time = new AbortController();
  const isOver = () => time.signal.aborted || deps.lost?.aborted === true;
  const drain = async () => {
    for (let moved: number | undefined; moved !== 0 && !isOver(); ) {
      moved = await attempt();
      if (moved === undefined) await clock.sleep(FIRST_WAIT_MS, time.signal).catch(() => {});
    }
    if (!isOver()) await checkpoints.sign(publication.head);
  };
  const running = run();
  await Promise.race([running, untilAborted(stop)]);
  // From the signal on: the attempt that runs then may wait for a log that does not answer.
  const late = clock.sleep(DRAIN_MS, time.signal).catch(() => {});
  await Promise.race([running.then(drain), late]);
  time.abort();
}
