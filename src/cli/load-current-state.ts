import { z } from 'zod';
import type { Config } from '../../config/config.js';
import type { AclState } from '../acl/apply/acl-state.js';
import { createAclState, createJwksUris, createWorld } from '../app/create-core.js';
import {
  breakGlassOf,
  DENIES_STATUS,
  denyOf,
  FREEZE_DOCUMENT,
  freezeOf,
  GRANTS_STATUS,
} from '../app/documents.js';
import type { Consul } from '../consul/consul.js';
import type { SyncError } from '../errors.js';
import { selectDirectory } from '../identity/selected-directory.js';
import { isRecord } from '../model/is-record.js';
import { CLIENT_BLOCKS, parseClientText } from '../plan/world.js';
import { readCurrentState } from '../reconcile/read-all.js';
import { RevocationWindow } from '../state/revocation-window.js';
import type { WorldState } from '../state/world-state.js';
import type { Cli } from './cli.js';
import { type DaemonClient, findDaemon, warnOfRefusal } from './daemon-client.js';
import { withProgress } from './terminal/progress.js';
import { withConsul } from './with-consul.js';

/** Both sides as they are now, and the connections they were read by. */
export interface CurrentState {
  readonly config: Config;
  /** The configuration file. Only with `next` is it another one than `config`. */
  readonly running: Config;
  readonly consul: Consul;
  readonly world: WorldState;
  readonly acl: AclState;
  readonly window: RevocationWindow;
  /** The daemon of this configuration, if it runs on this machine. */
  readonly daemon: DaemonClient | undefined;
  /** Whether the daemon reported which clients its orders closed. Neither side shows them. */
  readonly areOrdersKnown: boolean;
}

const RECORDS = z.object({ records: z.record(z.string(), z.record(z.string(), z.string())) });
const KeptOrders = z.object({
  closures: z.array(
    z.object({
      provider: z.string(),
      clientId: z.string(),
      closure: z.enum(CLIENT_BLOCKS),
    }),
  ),
});

/**
 * Reads every directory and Consul completely, asks a running daemon for its orders, calls `use`, and closes the
 * connections. It needs neither queue nor state directory and writes nothing, so it can run beside the daemon. A
 * directory that cannot be read is an error, unless `onUnread` accepts it. With `next`, that configuration
 * decides the access, and what it needs is read. `open` reads the configuration file in another way.
 */
export async function withCurrentState<T>(
  cli: Cli,
  use: (sides: CurrentState) => Promise<T>,
  {
    onUnread,
    next,
    open = () => cli.openConfig(),
  }: {
    readonly onUnread?: (provider: string, error: SyncError) => void;
    readonly next?: (running: Config) => Config;
    readonly open?: () => Promise<Config>;
  } = {},
): Promise<T> {
  const running = await open();
  const config = next?.(running) ?? running;
  const runtime = await cli.runtime(true);
  const adapters = await cli.context.adapters();
  const read = async (consul: Consul): Promise<T> => {
    const closers: (() => Promise<void>)[] = [];
    try {
      const providers = await Promise.all(
        config.providers.map((settings) => adapters.openProvider(settings, config, runtime)),
      );
      for (const { directory } of providers) closers.push(() => directory.close());
      const world = createWorld(config);
      const acl = createAclState(world, runtime.clock);
      const directories = new Map(
        providers.map(({ settings, directory }) => [
          settings.name,
          selectDirectory(directory, world.mapping.select),
        ]),
      );
      const jwksUris = createJwksUris(config, runtime);
      await withProgress(cli.context.stderr, 'reading the identity providers and Consul', () =>
        readCurrentState({ ...runtime, world, acl, consul, directories, jwksUris }, cli.signal, onUnread),
      );
      const window = new RevocationWindow(config.guards.maxRevocations.windowMs);
      const daemon = await findDaemon(config, cli.signal);
      warnOfRefusal(daemon, cli);
      await takeRecords(daemon, world);
      const areOrdersKnown = takeKeptOrders(daemon, world);
      takeFreeze(daemon, world);
      // Without a daemon, the marks in Consul show what people deny.
      world.denies.set((DENIES_STATUS.safeParse(daemon?.status).data?.denies ?? []).map(denyOf));
      takeBreakGlass(daemon, world);
      return await use({ config, running, consul, world, acl, window, daemon, areOrdersKnown });
    } finally {
      for (const close of closers) await close().catch(() => {}); // as with Consul
    }
  };
  return withConsul(cli, config, read, runtime);
}

/** What the daemon wrote, and whether it has another mapping: by both a plan has the reasons that the daemon's decisions have. */
async function takeRecords(daemon: DaemonClient | undefined, world: WorldState): Promise<void> {
  const said = await daemon?.read('/statusz/records', RECORDS);
  if (said === undefined) return;
  for (const [key, written] of Object.entries(said.records))
    world.rememberWritten(key, new Map(Object.entries(written)));
  world.setUnrecorded(undefined);
  if (isRecord(daemon?.status) && daemon.status.mappingRevision !== world.mapping.revision)
    world.mappingDoubt.grantReason = 'MappingChanged';
}

/** False if no daemon on this machine carries orders out. */
function takeKeptOrders(daemon: DaemonClient | undefined, world: WorldState): boolean {
  const kept = KeptOrders.safeParse(daemon?.status);
  if (!kept.success) return false;
  // The daemon also knows of releases whose records in Consul are not deleted yet.
  for (const text of [...world.view(0).clientBlocks.keys()])
    world.setClientBlock(parseClientText(text), undefined);
  for (const { closure: block, ...id } of kept.data.closures) world.setClientBlock(id, block);
  return true;
}

/** Without a daemon, the marks in Consul show which edges a grant opened. */
function takeBreakGlass(daemon: DaemonClient | undefined, world: WorldState): void {
  // What a grant opened is closed a moment after its end, and the store alone knows that. The rest is of scopes.
  const open = (GRANTS_STATUS.safeParse(daemon?.status).data?.breakGlass ?? []).filter(
    ({ state, opensEdge }) => state !== 'ended' || opensEdge !== false,
  );
  world.breakGlass.set(open.map(breakGlassOf));
}

/** The freeze that a person started is only in the store of the daemon. */
function takeFreeze(daemon: DaemonClient | undefined, world: WorldState): void {
  const status = FREEZE_DOCUMENT.safeParse(daemon?.status).data;
  const freeze = status && freezeOf(status);
  if (freeze?.kind === 'started') world.freezes.set([freeze]);
}
