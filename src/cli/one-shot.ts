import type { Config } from '../../config/config.js';
import type { AdapterFactory } from '../app/adapter-factory.js';
import { createCore, WRITES } from '../app/create-core.js';
import { createLeases } from '../app/create-lease.js';
import { keptNote } from '../app/kept-note.js';
import { recordEqualEdges } from '../apply/edge-records.js';
import type { Consul } from '../consul/consul.js';
import { Checkpoints } from '../decisions/checkpoints.js';
import { Publication } from '../decisions/publication.js';
import { messageOf, SyncError } from '../errors.js';
import { guardConsul } from '../lease/guarded-consul.js';
import { leadOnce } from '../lease/lead-once.js';
import { type Cause, localPerson } from '../model/cause.js';
import { definedFields } from '../model/defined-fields.js';
import { commandOf } from '../operator/deps.js';
import type { SettledDecision } from '../queue/journal.js';
import type { Store, StoreParts } from '../queue/store-parts.js';
import { NO_FOLLOW_UPS, type ReconcilerDeps } from '../reconcile/deps.js';
import { recordOpeningBalance } from '../reconcile/opening-balance.js';
import { readCurrentState } from '../reconcile/read-all.js';
import { restoreMemory } from '../reconcile/restore.js';
import type { Runtime } from '../runtime.js';
import type { ApplyLimit } from './apply-once.js';
import type { Cli } from './cli.js';
import { withProgress } from './terminal/progress.js';

/** The tools of a command that writes instead of the daemon. */
export interface OneShot {
  readonly deps: ReconcilerDeps;
  readonly cause: Cause;
  /** Writes to Consul at once. */
  readonly writes: ApplyLimit;
  /** The decisions settled so far. */
  readonly settled: readonly SettledDecision[];
  /** Reads both sides again, because time may have passed until a person answered. */
  reread(): Promise<void>;
  /** Publishes every settled decision. If it throws, the decisions stay in the outbox for the next command. */
  publish(): Promise<void>;
}

const NO_HOLDS = { limit: 0 };

/**
 * Opens the store, leads for the time of the command, reads both sides completely, and calls `use`. Throws ERR_STATE_LOCKED
 * with the text of `whileDaemonRuns` if a daemon holds the store, ERR_LEASE_HELD if one leads elsewhere.
 */
export async function withOneShot<T>(
  cli: Cli,
  /** What a person should do while the daemon holds the store. */
  whileDaemonRuns: string,
  use: (shot: OneShot) => Promise<T>,
  /** For a command that needs no directory: gets each that could not be read. */
  onUnread?: (provider: string, error: SyncError) => void,
): Promise<T> {
  const config = await cli.openConfig();
  const runtime = await cli.runtime(true);
  const adapters = await cli.context.adapters();
  const store = await openStoreAlone(adapters, config, runtime, whileDaemonRuns);
  const closers = [() => store.close()];
  try {
    await store.queue.check();
    await store.space.restore();
    const consul = await adapters.openConsul(config.consul, config.owner, runtime);
    closers.unshift(() => consul.close());
    const providers = await Promise.all(
      config.providers.map((settings) => adapters.openProvider(settings, config, runtime)),
    );
    for (const { directory } of providers) closers.unshift(() => directory.close());
    const leases = await createLeases(config, { consul, store }, runtime, () => undefined);
    const { term, end } = await leadOnce(leases(config.mode), runtime, cli.signal);
    closers.unshift(end);
    const led = store.lead(term.leader.epoch);
    const parts = { consul: guardConsul(consul, term), providers, store: led };
    // At once as many as there may be: no revocation comes meanwhile that would wait behind them.
    const core = createCore(config, parts, runtime, WRITES.most);
    const { deps, settled } = watchSettlements(core.deps);
    const reread = () =>
      withProgress(cli.context.stderr, 'reading the identity providers and Consul', async () => {
        await restoreMemory(deps);
        await readCurrentState(deps, cli.signal, onUnread);
        await recordOpeningBalance(deps, cli.signal);
        await recordEqualEdges(deps);
      });
    await reread();
    const cause = commandOf(localPerson(cli.context.user), deps);
    return await use({
      deps,
      cause,
      writes: core.writes,
      settled,
      reread,
      publish: () => publish(config, adapters, { consul: parts.consul, store: led }, runtime),
    });
  } finally {
    for (const close of closers) await close().catch((error: unknown) => cli.screen.warn(messageOf(error)));
  }
}

/** The embedded store belongs to one process. */
async function openStoreAlone(
  adapters: AdapterFactory,
  config: Config,
  runtime: Runtime,
  whileDaemonRuns: string,
): Promise<Store> {
  try {
    return await adapters.openStore(config, runtime);
  } catch (error) {
    if (!(error instanceof SyncError) || error.code !== 'ERR_STATE_LOCKED') throw error;
    throw new SyncError('ERR_STATE_LOCKED', whileDaemonRuns, { retriable: false, cause: error });
  }
}

function watchSettlements(deps: ReconcilerDeps): {
  readonly deps: ReconcilerDeps;
  readonly settled: readonly SettledDecision[];
} {
  const settled: SettledDecision[] = [];
  const { journal } = deps;
  return {
    settled,
    deps: {
      ...deps,
      // The command handles every key itself, so follow-up jobs need not be queued.
      queue: NO_FOLLOW_UPS,
      journal: {
        read: (key) => journal.read(key),
        readAll: () => journal.readAll(),
        record: (key, drafts, replaced) => journal.record(key, drafts, replaced),
        outbox: (limit) => journal.outbox(limit),
        published: (ids) => journal.published(ids),
        overview: (page) => journal.overview(page),
        async settle(key, decisions, update) {
          await journal.settle(key, decisions, update);
          settled.push(...decisions);
        },
      },
    },
  };
}

/** Also publishes decisions that an earlier process left. */
async function publish(
  config: Config,
  adapters: AdapterFactory,
  { consul, store }: { readonly consul: Consul; readonly store: StoreParts },
  runtime: Runtime,
): Promise<void> {
  if ((await store.journal.overview(NO_HOLDS)).outboxLength === 0) return;
  const log = await adapters.openDecisionLog(config, runtime, { mayCreateTopic: true });
  try {
    const { journal, keyValues } = store;
    const signer = adapters.openSigner(config, runtime);
    const kept = keptNote(config, consul.logNote, runtime);
    const deps = {
      ...runtime,
      ...definedFields({ kept }),
      owner: config.owner,
      journal,
      keyValues,
      log,
      signer,
    };
    const publication = new Publication(deps);
    while ((await publication.moveBatch()) > 0);
    await new Checkpoints(deps).sign(publication.head);
  } finally {
    await log.close();
  }
}
