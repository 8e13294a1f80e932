import { messageOf, SyncError } from '../../errors.js';
import { firstOf, withLinkedSignal } from '../../linked-signal.js';
import { TokenBucket } from '../../model/token-bucket.js';
import { backoffMs } from '../../repeat.js';
import type { Runtime } from '../../runtime.js';
import type { WatchedTable, WatchListener } from '../consul.js';
import { ACL_TABLES } from './acl-table.js';
import { readComplete } from './answer.js';
import { recordFolder, toKvPath } from './kv-keys.js';
import { toTenancyQuery } from './place.js';
import type { Transport } from './transport.js';
import { checkWatch, readDigest, type Seen } from './watch-check.js';

interface WatchOptions extends Runtime {
  readonly transport: Transport;
  readonly owner: string;
  /** How long one blocking query waits for a change. */
  readonly waitMs: number;
  /** How late an answer may be before its connection counts as dead, and a change before the watch does. */
  readonly graceMs: number;
  /** How often a watch is compared with Consul. Three times that time without `alive` means a dead watch. */
  readonly checkMs: number;
}

const PER_SECOND = 5;
const BURST = 5;
/**
 * After an answer with changes, the next query waits in proportion to its size, so that a long list that changes all the
 * time does not overload Consul and its reader: Consul needs about 45 ms to hash and to write 1 MB, twice, and rests 800 ms.
 */
const REST_BYTES_PER_MS = 1_250;
/** A change must not wait longer behind others, however long the list is. */
const MAX_PAUSE_MS = 2_000;
/** After a longer rest, a look at the index costs much less than the list. */
const REST_BEFORE_A_LOOK_MS = 100;
/** The answer for an entry that does not exist shows the index of all config entries. */
const NO_ENTRY = '/v1/config/service-intentions/scopemesh-look';
/** Without an answer to a look, the list is asked for. */
const LOOK_TIMEOUT_MS = 2_000;
const FIRST_BACKOFF_MS = 250;
const MAX_BACKOFF_MS = 15_000;

/**
 * Watches a table until aborted. A table can need several blocking queries; `alive` is called when each of them has proved
 * to be alive since the last call.
 */
export async function watchTable(
  table: WatchedTable,
  options: WatchOptions,
  listener: WatchListener,
  signal: AbortSignal,
): Promise<void> {
  const paths = pathsOf(table, options.owner);
  const silent = new Set(paths);
  // If the loop of one query fails because a listener throws, the other loops stop too.
  const failed = new AbortController();
  const watch = (path: string, stop: AbortSignal) => {
    const alive = () => {
      silent.delete(path);
      if (silent.size > 0) return;
      for (const each of paths) silent.add(each);
      listener.alive();
    };
    const watching = watchPath(table, path, options, listener, alive, stop);
    return watching.catch((error: unknown) => {
      failed.abort(error);
      throw error;
    });
  };
  await withLinkedSignal([signal, failed.signal], (stop) =>
    Promise.all(paths.map((path) => watch(path, stop))),
  );
}

/**
 * In Consul 1.14 a blocking list of config entries ends only for a change of its own kind, so each kind has a query. The
 * list of services ends for each change of a registration, including meta and tags.
 */
function pathsOf(table: WatchedTable, owner: string): readonly string[] {
  switch (table) {
    case 'intentions':
      return ['/v1/config/service-intentions'];
    case 'protocols':
      return ['/v1/config/service-defaults', '/v1/config/proxy-defaults'];
    case 'catalog':
      return ['/v1/catalog/services'];
    case 'claims':
      return [toKvPath(recordFolder(owner, 'claims'))];
    case 'jwt-providers':
      return ['/v1/config/jwt-provider'];
    case 'acl':
      return Object.values(ACL_TABLES).map(({ list }) => list);
  }
}

/** Runs blocking queries, by the rules of Consul's documentation on blocking queries. */
async function watchPath(
  table: WatchedTable,
  path: string,
  options: WatchOptions,
  listener: WatchListener,
  alive: () => void,
  signal: AbortSignal,
): Promise<void> {
  const { transport, clock, logger, metrics, waitMs, graceMs } = options;
  const pace = new TokenBucket({ burst: BURST, everyMs: 1_000 / PER_SECOND });
  // Consul adds up to a sixteenth to the wait; after that the connection counts as dead.
  const timeoutMs = waitMs + Math.ceil(waitMs / 16) + graceMs;
  // jwt-provider entries exist only in the default namespace of a partition.
  const place = table === 'jwt-providers' ? { partition: transport.tenancy.partition } : transport.tenancy;
  const tenancyQuery = { ...toTenancyQuery(place), ...(table === 'claims' ? { recurse: '' } : {}) };
  const expected = table === 'claims' ? [200, 404] : [200];
  let seen: Seen | undefined;
  // Undefined requests an immediate answer: at the start and after any fault.
  let from: number | undefined;
  let restMs = 0;
  let failures = 0;
  let missed = 0;
  let restart = new AbortController();
  const check = {
    clock,
    everyMs: options.checkMs,
    boundMs: graceMs,
    seen: () => (failures > 0 ? undefined : seen),
    read: () =>
      readDigest(
        transport,
        { operation: 'watch.check', path, query: { ...tenancyQuery, consistent: '' } },
        signal,
        expected,
      ),
    current() {
      missed = 0;
      alive();
    },
    missed() {
      missed += 1;
      metrics.count('scopemesh_consul_watch_restarts_total', { table });
      const fields = { table, path, missed };
      if (missed === 1) logger.warn(fields, 'a watch on Consul missed a change and is started again');
      else logger.debug(fields, 'a watch on Consul still misses changes');
      restart.abort();
      listener.changed();
    },
  };
  const checking = () => checkWatch(check, signal);
  /**
   * While a long list changes all the time, a query would answer at once, with a list that the listener reads again. So the
   * index alone is asked for first. Undefined: ask for the list, as after any fault, which only a list can prove to be over.
   */
  const look = async (stop: AbortSignal): Promise<number | undefined> => {
    if (table !== 'intentions' || restMs < REST_BEFORE_A_LOOK_MS) return undefined;
    if (seen === undefined || from === undefined) return undefined;
    const timeoutMs = LOOK_TIMEOUT_MS;
    const request = { operation: 'watch.look', path: NO_ENTRY, query: tenancyQuery, timeoutMs } as const;
    // A token may not be allowed to read that name.
    const answer = await readComplete(transport, request, stop, [200, 404]).catch(() => undefined);
    if (answer === undefined || answer.index === seen.index) return undefined;
    if (answer.index > seen.index) return answer.index;
    from = undefined;
    return undefined;
  };
  /**
   * Before the next query: at least `restMs`, and for intentions until the listener can use another answer. While scopemesh
   * writes intentions, a later query for another kind would answer at once, because the index of each kind moves.
   */
  const rest = async () => {
    const taken = table === 'intentions' ? listener.taken?.() : undefined;
    await Promise.all([
      restMs > 0 ? clock.sleep(restMs, signal) : undefined,
      taken && firstOf(signal, (either) => [taken, clock.sleep(MAX_PAUSE_MS, either)]),
    ]);
  };
  const watching = async () => {
    while (!signal.aborted) {
      const { signal: again } = restart;
      try {
        await pace.turn(clock, signal);
        const found = await withLinkedSignal([signal, again], look);
        again.throwIfAborted();
        if (found !== undefined) {
          from = found;
          seen = { index: found, digest: undefined };
          alive();
          listener.changed();
          await rest();
          continue;
        }
        // After a look the list itself is not known, so it is not waited for.
        const isKnown = from !== undefined && seen?.digest !== undefined;
        const blocking = isKnown ? { index: String(from), wait: `${waitMs}ms` } : {};
        const query = { ...tenancyQuery, ...blocking };
        const { index, digest, bytes } = await withLinkedSignal([signal, again], (either) =>
          readDigest(transport, { operation: 'watch', path, query, timeoutMs }, either, expected),
        );
        if (failures > 0) logger.info({ table, path, failures }, 'consul watch recovered');
        failures = 0;
        // After an index went back (a restored snapshot, a new cluster), any change may have been missed.
        const isSilence = from !== undefined && index === seen?.index;
        from = seen !== undefined && index < seen.index ? undefined : index;
        if (!isSilence) alive();
        const isNew = index !== seen?.index;
        restMs = 0;
        if (isNew || seen?.digest === undefined) seen = { index, digest };
        if (!isNew) continue;
        listener.changed();
        restMs = Math.min(MAX_PAUSE_MS, Math.floor(bytes / REST_BYTES_PER_MS));
        await rest();
      } catch (error) {
        if (signal.aborted) return;
        if (again.aborted) {
          restart = new AbortController();
          from = undefined;
          continue;
        }
        // An error of the listener is a fault in scopemesh, not in Consul.
        if (!(error instanceof SyncError)) throw error;
        failures += 1;
        from = undefined;
        const fields = { table, path, failures, code: error.code, error: messageOf(error) };
        if (failures === 1) logger.warn(fields, 'consul watch failed');
        else logger.debug(fields, 'consul watch still fails');
        await clock
          .sleep(backoffMs(failures, FIRST_BACKOFF_MS, MAX_BACKOFF_MS), signal)
          .catch(() => undefined);
      }
    }
  };
  await Promise.all([watching(), checking()]);
}
