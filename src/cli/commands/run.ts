import { InvalidArgumentError } from 'commander';
import { ROLES, type Role } from '../../app/run-daemon.js';
import { createSupervisor } from '../../app/supervisor.js';
import { defineCommand, preset } from '../command.js';

export const run = defineCommand({
  name: 'run',
  summary: 'run the daemon, which keeps Consul equal to the identity provider',
  description:
    'Runs the daemon. At SIGTERM or ctrl-c it finishes running jobs and exits with 0; at a second one it exits with 1 at ' +
    'once. At SIGHUP it reads the configuration file again.',
  takes: { only: preset('<roles>', `run only these parts of it: ${ROLES.join(',')}`, ROLES, parseRoles) },
  examples: ['scopemesh run -c /etc/scopemesh/scopemesh.yaml', 'scopemesh run --only intake'],
  async run({ only }, cli) {
    const config = await cli.openConfig();
    const { context, signal } = cli;
    const { createMetrics } = await import('../../app/metrics.js');
    const runtime = { ...(await cli.runtime(false)), metrics: createMetrics() };
    const supervisor = createSupervisor(context.environment, runtime.logger);
    signal.addEventListener('abort', () => void supervisor.tell('STOPPING=1'), { once: true });
    const onReload = (listener: () => Promise<void>) =>
      context.onReload(async () => {
        await supervisor.tell('RELOADING=1');
        await listener();
        await supervisor.tell('READY=1');
      });
    const started = () => void supervisor.tell('READY=1');
    const configFile = cli.loadOptions().path;
    const options = { config, configFile, only, reload: cli.openConfig, onReload, supervisor, started };
    try {
      await context.runDaemon(options, runtime, signal);
    } catch (error) {
      // A stop during the start is a clean stop as well.
      if (!signal.aborted || error !== signal.reason) throw error;
    }
  },
});

function parseRoles(text: string): readonly Role[] {
  return text.split(',').map((each) => {
    const known = ROLES.find((role) => role === each.trim());
    if (known === undefined) throw new InvalidArgumentError(`choose from ${ROLES.join(', ')}.`);
    return known;
  });
}
