import type { Config } from '../../../config/config.js';
import type { AdapterFactory } from '../../app/adapter-factory.js';
import { accessNeeded, providersIn } from '../../app/provider-health.js';
import { systemClock } from '../../clock.js';
import { messageOf } from '../../errors.js';
import type { AccessCheck } from '../../identity/directory.js';
import { silentLogger } from '../../observe.js';
import type { Runtime } from '../../runtime.js';
import { defineCommand } from '../command.js';
import { findDaemon, warnOfRefusal } from '../daemon-client.js';
import { type ProviderView, printProviders } from '../terminal/providers-text.js';

export const providers = defineCommand({
  name: 'providers',
  summary: 'show the state of each identity provider, and what is missing',
  description:
    'Asks the running daemon for the last event, the last poll, the cursor, shared signals, subscriptions, missed ' +
    'events and the last complete read of each provider. Asks each provider what the configured credentials may ' +
    'read; without a daemon this is all that it shows. Changes nothing.',
  json: 'print one JSON document: daemon and providers',
  exit: '0; 1 if a provider cannot be reached or its credentials lack a permission.',
  examples: [
    'scopemesh providers',
    "scopemesh providers --json | jq '.providers[] | select(.health.poll.missedSignals > 0).provider'",
  ],
  async ask(_, cli) {
    const config = await cli.openConfig();
    const runtime = { ...(await cli.runtime(true)), logger: silentLogger };
    const adapters = await cli.context.adapters();
    const daemon = await findDaemon(config, cli.signal);
    warnOfRefusal(daemon, cli);
    const known = daemon === undefined ? [] : providersIn(daemon.status);
    const views = config.providers.map(async (settings): Promise<ProviderView> => {
      const { name, kind } = settings;
      const health = known.find(({ provider }) => provider === name) ?? null;
      const access = await checkAccess(config, settings, adapters, runtime, cli.signal);
      return { provider: name, kind, health, ...access };
    });
    return { daemon: daemon === undefined ? 'not running' : 'running', providers: await Promise.all(views) };
  },
  print: (found, { screen }) =>
    printProviders(found.providers, found.daemon === 'running', systemClock.now(), screen),
  status: (found) => (found.providers.some(isAtFault) ? 1 : 0),
});

function isAtFault({ access, error }: ProviderView): boolean {
  return error !== null || access?.some(({ isGranted }) => !isGranted) === true;
}

/** `access` is null for a provider kind that cannot report it. */
async function checkAccess(
  config: Config,
  settings: Config['providers'][number],
  adapters: AdapterFactory,
  runtime: Runtime,
  signal: AbortSignal,
): Promise<{ readonly access: readonly AccessCheck[] | null; readonly error: string | null }> {
  const { directory } = await adapters.openProvider(settings, config, runtime);
  try {
    const checks = await directory.checkAccess?.(signal);
    return { access: checks === undefined ? null : accessNeeded(checks, config), error: null };
  } catch (error) {
    signal.throwIfAborted();
    return { access: null, error: messageOf(error) };
  } finally {
    await directory.close();
  }
}
