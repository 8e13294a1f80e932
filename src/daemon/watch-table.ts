import { steadyClock } from '../clock.js';
import type { WatchedTable } from '../consul/consul.js';
import { messageOf, SyncError } from '../errors.js';
import { withLinkedSignal } from '../linked-signal.js';
import { createNotifier } from '../notifier.js';
import type { ReconcilerDeps } from '../reconcile/deps.js';
import { Outage } from '../repeat.js';
import type { WatchAges } from './watch-ages.js';

type Deps = Pick<ReconcilerDeps, 'consul' | 'clock' | 'logger' | 'reads'>;

const RETRY_MS = 1_000;
/** After an error that lasts, the next read waits this many times as long: an answer that is too long is read for seconds. */
const RETRY_PAUSE = 4;
/** How long the next read waits after one: so many times as long as that one took, but no longer than `maxMs`. */
export interface ReadPause {
  readonly times: number;
  /** A clock that is set forward during a read must not stop the reads. */
  readonly maxMs: number;
  /**
   * Whether it went on since the last question. Asked when a read ends, and after the pause again and again: as long as it
   * says so, the next read waits on, within `maxMs`.
   */
  readonly goesOn?: () => boolean;
}
const GOES_ON_MS = 100;
/** The first answers of the watches of one read come one after the other. */
const FIRST_MS = 50;
const NO_PAUSE: ReadPause = { times: 0, maxMs: 0 };
const MAX_RETRY_MS = 10_000;
/** How often `watchWhile` checks whether the table is needed. */
const ACTIVITY_CHECK_MS = 1_000;

/**
 * Watches tables that one `read` covers, and calls it after each change. After a read, the next one rests, so that changes
 * without a break leave time for other work. Never throws; a failed read is retried.
 */
export async function watchTables(
  tables: readonly WatchedTable[],
  read: () => Promise<void>,
  deps: Deps,
  ages: WatchAges,
  signal: AbortSignal,
  rest = NO_PAUSE,
): Promise<void> {
  const outage = new Outage();
  const sleep = (ms: number) => deps.clock.sleep(ms, signal).catch(() => {});
  const notifier = createNotifier();
  /** Tables with a change that has not been read yet. Until it is, they grow older. */
  const behind = new Set<WatchedTable>();
  let isReading = false;
  /** Tables that gave a sign of life during a read, which may show the contrary. */
  const proven = new Set<WatchedTable>();
  const changed = (...changes: readonly WatchedTable[]) => {
    for (const table of changes) behind.add(table);
    notifier.notify();
  };
  /** Of the next read: those that wait for its begin. */
  const steady = steadyClock(deps.clock);
  let begins = createNotifier();
  const restAfter = async (tookMs: number) => {
    rest.goesOn?.();
    const began = steady.now();
    if (rest.times > 0) await sleep(Math.min(rest.maxMs, rest.times * tookMs));
    const isOver = () => steady.now() - began >= rest.maxMs;
    while (!signal.aborted && !isOver() && rest.goesOn?.() === true) await sleep(GOES_ON_MS);
  };
  const reading = (async () => {
    if (tables.length > 1) {
      await notifier.wait(signal);
      await sleep(FIRST_MS);
      notifier.notify();
    }
    while (!signal.aborted) {
      await notifier.wait(signal);
      if (signal.aborted) return;
      behind.clear();
      begins.notify();
      begins = createNotifier();
      const began = steady.now();
      const tookMs = () => steady.now() - began;
      try {
        isReading = true;
        await read().finally(() => {
          isReading = false;
        });
        for (const table of proven) ages.alive(table);
        proven.clear();
        deps.reads.succeeded({ kind: 'consul' }, tables.join(' '));
        const lastedMs = outage.ends(deps.clock.now());
        if (lastedMs !== undefined) deps.logger.info({ tables, lastedMs }, 'Consul can be read again');
        await restAfter(tookMs());
      } catch (error) {
        if (signal.aborted) return;
        deps.reads.failed({ kind: 'consul' }, tables.join(' '), messageOf(error), deps.clock.now());
        proven.clear();
        if (outage.begins(deps.clock.now()))
          deps.logger.warn(
            { tables, error: messageOf(error) },
            'a change in Consul was seen but could not be read; it is tried again',
          );
        changed(...tables);
        const lasts = error instanceof SyncError && !error.retriable;
        const restMs = lasts ? Math.min(MAX_RETRY_MS, RETRY_PAUSE * tookMs()) : 0;
        await sleep(Math.max(RETRY_MS, restMs));
      }
    }
  })();
  const watching = tables.map((table) => {
    const alive = () => {
      if (behind.has(table)) return;
      if (isReading) proven.add(table);
      else ages.alive(table);
    };
    const listener = { changed: () => changed(table), alive, taken: () => begins.wait(signal) };
    return deps.consul.watch(table, listener, signal);
  });
  await Promise.all([...watching, reading]);
}

/** Watches a table as long as scopemesh uses it, which a reload can change. */
export async function watchWhile(
  table: WatchedTable,
  isActive: () => boolean,
  read: (stop: AbortSignal) => Promise<void>,
  deps: Deps,
  ages: WatchAges,
  signal: AbortSignal,
  rest = NO_PAUSE,
): Promise<void> {
  const pause = () => deps.clock.sleep(ACTIVITY_CHECK_MS, signal).catch(() => {});
  while (!signal.aborted) {
    if (!isActive()) {
      await pause();
      continue;
    }
    const end = new AbortController();
    const watching = withLinkedSignal([signal, end.signal], (stop) =>
      watchTables([table], () => read(stop), deps, ages, stop, rest),
    );
    while (!signal.aborted && isActive()) await pause();
    end.abort();
    await watching;
    ages.forget(table);
  }
}
