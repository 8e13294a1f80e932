import { messageOf, SyncError } from '../errors.js';
import { formatKey } from '../model/key.js';
import type { Job, Trigger } from '../model/trigger.js';
import type { Runtime } from '../runtime.js';
import { type Backoff, backoffDelayMs } from './backoff.js';
import type { JobResult } from './queue.js';

type JobHandler = (job: Job, signal: AbortSignal) => Promise<JobResult>;

export type JobOutcome =
  | JobResult
  | {
      readonly kind: 'failed';
      readonly error: string;
      /** Failed runs in a row, this one included. */
      readonly attempts: number;
      /** The key has failed too often; it is parked unless new triggers of the store came meanwhile. */
      readonly exhausted: boolean;
      readonly afterMs: number;
    };

export interface RunDeps extends Runtime {
  readonly backoff: Backoff;
}

/** Ends a run that begins again at once. */
class Overtaken extends Error {}

/** Whether an order or an event ended the run of this signal. */
export function isInterrupted(signal: AbortSignal): boolean {
  return signal.reason instanceof Overtaken;
}

/**
 * Ends the runs of clients for which an order arrived. They may wait ten seconds for an identity provider that does not
 * answer, and an order must not wait for that. The next run sees what became of the work of the ended one.
 */
export function interrupt(
  triggers: readonly Trigger[],
  runOf: (key: string) => AbortController | undefined,
): void {
  for (const { key, order } of triggers) {
    if (key.kind !== 'client' || order === undefined) continue;
    beginAgain(runOf(formatKey(key)));
  }
}

export function beginAgain(run: AbortController | undefined): void {
  run?.abort(new Overtaken('An order or an event arrived: the job begins again.'));
}

// An error's text may quote a whole response. This bounds what is stored and shown.
const MAX_ERROR_LENGTH = 1000;

/** A key hears of no end of an outage of the store, and a revocation must not wait long after it. */
const STORE_AWAY_MS = 5_000;

function isStoreAway(error: unknown): boolean {
  return error instanceof SyncError && error.code === 'ERR_QUEUE_UNREACHABLE';
}

/** Runs the handler and turns its end into an outcome. Never rejects. */
export async function runJob(
  deps: RunDeps,
  handler: JobHandler,
  job: Job,
  signal: AbortSignal,
): Promise<JobOutcome> {
  const { logger, metrics, clock, backoff } = deps;
  const keyKind = job.key.kind;
  const startedAt = clock.now();
  try {
    const result = await handler(job, signal);
    metrics.count('scopemesh_jobs_total', { key: keyKind, result: result.kind });
    return result;
  } catch (error) {
    if (isInterrupted(signal)) {
      metrics.count('scopemesh_jobs_total', { key: keyKind, result: 'retry' });
      return { kind: 'retry', afterMs: 0 };
    }
    const attempts = job.attempts + 1;
    const exhausted = attempts >= backoff.attempts;
    // The identity provider or Consul may say how long to wait.
    const asked = error instanceof SyncError ? (error.retryAfterMs ?? 0) : 0;
    const ownMs = backoffDelayMs(backoff, attempts);
    const afterMs = Math.max(asked, isStoreAway(error) ? Math.min(STORE_AWAY_MS, ownMs) : ownMs);
    metrics.count('scopemesh_jobs_total', { key: keyKind, result: exhausted ? 'parked' : 'failed' });
    logger.warn({ key: job.key, attempts, afterMs, exhausted, error: messageOf(error) }, 'job failed');
    return {
      kind: 'failed',
      error: messageOf(error).slice(0, MAX_ERROR_LENGTH),
      attempts,
      exhausted,
      afterMs,
    };
  } finally {
    metrics.time('scopemesh_job_seconds', (clock.now() - startedAt) / 1000, { key: keyKind });
  }
}
