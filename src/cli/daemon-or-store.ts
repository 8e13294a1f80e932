import type { z } from 'zod';
import type { Config } from '../../config/config.js';
import type { Store } from '../queue/store-parts.js';
import type { Cli } from './cli.js';
import { type DaemonClient, findDaemon, otherVersion, refusal } from './daemon-client.js';
import { NO_ANSWER, openStoreAlone } from './one-shot.js';

/** What a command works with, by the running daemon with its status, or by the store. */
export interface DaemonOrStoreActions<S, T> {
  readonly ofDaemon: (daemon: DaemonClient, status: S) => T;
  readonly ofStore: (store: Store, config: Config) => Promise<T>;
}

/** Asks the running daemon on this machine, or opens the store for the time of `use` if none runs. */
export async function withDaemonOrStore<S extends z.ZodType, T>(
  cli: Cli,
  statusBody: S,
  { ofDaemon, ofStore }: DaemonOrStoreActions<z.output<S>, T>,
  use: (tools: T) => Promise<void>,
): Promise<void> {
  const daemon = await findDaemon(await cli.openDaemonSettings(), cli.signal);
  if (daemon !== undefined) {
    const status = statusBody.safeParse(daemon.status);
    if (!status.success) throw daemon.refusal === undefined ? otherVersion() : refusal(daemon.refusal);
    return use(ofDaemon(daemon, status.data));
  }
  const config = await cli.openConfig();
  const store = await openStoreAlone(cli.context.adapters, config, cli.runtime(true), NO_ANSWER);
  try {
    await use(await ofStore(store, config));
  } finally {
    await store.close();
  }
}
