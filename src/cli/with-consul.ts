import type { Config } from '../../config/config.js';
import type { Consul } from '../consul/consul.js';
import type { Runtime } from '../runtime.js';
import type { Cli } from './cli.js';

/** Opens the Consul of a configuration for a command that writes nothing, calls `use`, and closes the connections. */
export async function withConsul<T>(
  cli: Cli,
  { consul: settings, owner }: Pick<Config, 'consul' | 'owner'>,
  use: (consul: Consul) => Promise<T>,
  runtime?: Runtime,
): Promise<T> {
  const { openConsul } = await cli.context.adapters();
  const consul = await openConsul(settings, owner, runtime ?? (await cli.runtime(true)));
  try {
    return await use(consul);
  } finally {
    await consul.close().catch(() => {}); // nothing was written that could be lost
  }
}
