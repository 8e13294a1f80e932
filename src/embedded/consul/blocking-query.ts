import { badRequest, type ConsulRequest, type ReadResult } from './exchange.js';
import { parseGoDuration } from './go-duration.js';
import type { ServerContext } from './server-context.js';
import type { StateStore } from './state/state-store.js';
import { WatchSet } from './state/watch-set.js';

const defaultWaitMs = 300_000;
const longestWaitMs = 600_000;

export interface QueryOptions {
  /** 0: answer at once. */
  readonly minIndex: number;
  readonly waitMs: number;
  readonly isStale: boolean;
  readonly isConsistent: boolean;
}

/** What one run of a query saw. `absent` and `same` keep a waiting query asleep though indexes moved. */
export interface Observation<T> extends ReadResult<T> {
  readonly absent?: boolean;
  /** Equal texts in two runs mean that the answer is the same. */
  readonly fingerprint?: string;
}

/** Throws 400 in Consul's words where a parameter is malformed. */
export function parseQueryOptions(request: ConsulRequest): QueryOptions {
  const { query } = request;
  const isStale = query.has('stale');
  const isConsistent = query.has('consistent');
  if (isStale && isConsistent) {
    throw badRequest('Cannot specify ?stale with ?consistent, conflicting semantics.');
  }
  const wait = query.get('wait') ?? '';
  const waitNs = wait === '' ? 0 : parseGoDuration(wait);
  if (waitNs === undefined) throw badRequest('Invalid wait time');
  const index = query.get('index') ?? '';
  if (index !== '' && !/^\d{1,20}$/.test(index)) throw badRequest('Invalid index');
  return { minIndex: index === '' ? 0 : Number(index), waitMs: waitNs / 1e6, isStale, isConsistent };
}

/**
 * Runs `query` until its index passes the one asked for, the wait is over, or the client is gone; answers what
 * the last run saw. As in Consul, a wait is lengthened by up to a sixteenth so that clients do not march in step.
 */
export async function blockingQuery<T>(
  context: Pick<ServerContext, 'store' | 'clock'>,
  request: ConsulRequest,
  options: QueryOptions,
  query: (watch: WatchSet) => Observation<T>,
): Promise<ReadResult<T>> {
  if (options.minIndex === 0) return query(new WatchSet());
  const limitMs = options.waitMs <= 0 ? defaultWaitMs : Math.min(options.waitMs, longestWaitMs);
  const over = new AbortController();
  const stop = () => over.abort();
  request.signal.addEventListener('abort', stop, { once: true });
  if (request.signal.aborted) stop();
  // The same controller ends the sleep, so that an answered query leaves no timer behind.
  context.clock.sleep(Math.ceil(limitMs + Math.random() * (limitMs / 16)), over.signal).then(stop, () => {});
  try {
    return await repeatUntil(context.store, over.signal, options.minIndex, query);
  } finally {
    stop();
    request.signal.removeEventListener('abort', stop);
  }
}

async function repeatUntil<T>(
  store: StateStore,
  signal: AbortSignal,
  from: number,
  query: (watch: WatchSet) => Observation<T>,
): Promise<ReadResult<T>> {
  let minIndex = from;
  let wasAbsent = false;
  let fingerprint: string | undefined;
  for (;;) {
    const watch = new WatchSet();
    const seen = query(watch);
    if (fingerprint !== undefined && seen.fingerprint === fingerprint) minIndex = Math.max(seen.index, 1);
    else if (seen.absent === true) {
      if (wasAbsent) minIndex = Math.max(seen.index, 1);
      wasAbsent = true;
    }
    fingerprint = seen.fingerprint;
    if (Math.max(seen.index, 1) > minIndex || signal.aborted) return seen;
    await store.changed(watch, signal);
    if (signal.aborted) return seen;
  }
}
