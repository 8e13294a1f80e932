import { parseGoDuration } from '../../model/go-duration.js';
import { badRequest, type ConsulRequest } from './exchange.js';
import type { ServerContext } from './server-context.js';
import type { StateStore } from './state/state-store.js';
import { WatchSet } from './state/watch-set.js';

const defaultWaitMs = 300_000;
const longestWaitMs = 600_000;

interface QueryOptions {
  /** 0: answer at once. */
  readonly minIndex: number;
  readonly waitMs: number;
  readonly consistency: 'leader' | 'stale' | 'consistent';
}

/** The result of one run of a query. A waiting query continues to sleep while it stays `absent` or keeps its `fingerprint`. */
export interface Observation<T> {
  /** The index on which the next blocking query waits. */
  readonly index: number;
  readonly value: T;
  /** Rows were left out because the ACL token may not read them. */
  readonly filtered?: boolean;
  readonly absent?: boolean;
  /** Equal texts in two runs mean that the answer is the same. */
  readonly fingerprint?: string;
}

export type Query<T> = (watch: WatchSet) => Observation<T>;

/** Throws 400 in Consul's words where a parameter is malformed. */
export function parseQueryOptions({ query }: ConsulRequest): QueryOptions {
  const [isStale, isConsistent] = [query.has('stale'), query.has('consistent')];
  if (isStale && isConsistent) {
    throw badRequest('Cannot specify ?stale with ?consistent, conflicting semantics.');
  }
  const wait = query.get('wait') ?? '';
  const waitNs = wait === '' ? 0 : parseGoDuration(wait);
  if (waitNs === undefined) throw badRequest('Invalid wait time');
  const index = query.get('index') ?? '';
  if (index !== '' && !/^\d{1,20}$/.test(index)) throw badRequest('Invalid index');
  const consistency = isConsistent ? 'consistent' : isStale ? 'stale' : 'leader';
  return { minIndex: index === '' ? 0 : Number(index), waitMs: waitNs / 1e6, consistency };
}

/** The rows that the ACL token may read, and whether others were left out. */
export function readable<Row>(rows: readonly Row[], isReadable: (row: Row) => boolean) {
  const value = rows.filter(isReadable);
  return { value, filtered: value.length < rows.length };
}

/**
 * Runs `query` until its index passes the requested one, the wait is over, or the client is gone; answers the result
 * of the last run. As in Consul, a wait is up to a sixteenth longer, so that clients do not wake together.
 */
export async function runQuery<T>(
  { store, clock }: Pick<ServerContext, 'store' | 'clock'>,
  request: ConsulRequest,
  options: QueryOptions,
  query: Query<T>,
): Promise<Observation<T>> {
  if (options.minIndex === 0) return query(new WatchSet());
  const limitMs = options.waitMs <= 0 ? defaultWaitMs : Math.min(options.waitMs, longestWaitMs);
  const over = new AbortController();
  const stop = () => over.abort();
  request.signal.addEventListener('abort', stop, { once: true });
  if (request.signal.aborted) stop();
  // The same controller ends the sleep, so that an answered query leaves no timer behind.
  clock.sleep(Math.ceil(limitMs + Math.random() * (limitMs / 16)), over.signal).then(stop, () => {});
  try {
    return await repeatUntil(store, over.signal, options.minIndex, query);
  } finally {
    stop();
    request.signal.removeEventListener('abort', stop);
  }
}

async function repeatUntil<T>(
  store: StateStore,
  signal: AbortSignal,
  from: number,
  query: Query<T>,
): Promise<Observation<T>> {
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
