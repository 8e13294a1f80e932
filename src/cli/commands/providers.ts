import type { Config } from '../../../config/config.js';
import type { AdapterFactory } from '../../app/adapter-factory.js';
import { accessNeeded, providersIn } from '../../app/provider-health.js';
import { messageOf } from '../../errors.js';
import type { AccessCheck } from '../../identity/directory.js';
import { silentLogger } from '../../observe.js';
import type { Runtime } from '../../runtime.js';
import type { Cli } from '../cli.js';
import { findDaemon, warnOfRefusal } from '../daemon-client.js';
import type { DocumentedCommand } from '../documented-command.js';
import { type ProviderView, printProviders } from '../terminal/providers-text.js';

export function addProviders(program: DocumentedCommand, cli: Cli): void {
  program
    .command('providers')
    .summary('show the state of each identity provider, and what is missing')
    .description(
      'Asks the running daemon for the last event, the last poll, the cursor, shared signals, subscriptions, missed ' +
        'events and the last complete read of each provider. Asks each provider what the configured credentials may ' +
        'read; without a daemon this is all that it shows. Changes nothing.',
    )
    .option('--json', 'print one JSON document: daemon and providers')
    .endHelp(`
Exit status: 0; 1 if a provider cannot be reached or its credentials lack a permission.

Examples:
  scopemesh providers
  scopemesh providers --json | jq '.providers[] | select(.health.poll.missedSignals > 0).provider'`)
    .action(async (options: { readonly json?: true }) => {
      const config = await cli.openConfig();
      const runtime = { ...(await cli.runtime(true)), logger: silentLogger };
      const adapters = await cli.context.adapters();
      const daemon = await findDaemon(config, cli.signal);
      warnOfRefusal(daemon, cli);
      const known = daemon === undefined ? [] : providersIn(daemon.status);
      const views = await Promise.all(
        config.providers.map(async (settings): Promise<ProviderView> => {
          const health = known.find(({ provider }) => provider === settings.name);
          return {
            provider: settings.name,
            kind: settings.kind,
            health: health ?? null,
            ...(await checkAccess(config, settings, adapters, runtime, cli.signal)),
          };
        }),
      );
      const isRunning = daemon !== undefined;
      if (options.json) cli.screen.json({ daemon: isRunning ? 'running' : 'not running', providers: views });
      else printProviders(views, isRunning, runtime.clock.now(), cli.screen);
      const isAtFault = ({ access, error }: ProviderView) =>
        error !== null || access?.some(({ isGranted }) => !isGranted) === true;
      if (views.some(isAtFault)) cli.exit(1);
    });
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
