import { type Command, InvalidArgumentError } from 'commander';
import type { Cli } from '../cli.js';
import { ROLES, type Role } from '../run-daemon.js';

export function addRun(program: Command, cli: Cli): void {
  program
    .command('run')
    .summary('the daemon: keep both sides equal until it is stopped')
    .description(
      'The daemon. SIGTERM or ctrl-c finishes what runs and exits 0, a second one exits 1; SIGHUP reads the file again.',
    )
    .option('--only <roles>', `only some of its parts: ${ROLES.join(',')}`, parseRoles, [...ROLES])
    .addHelpText(
      'after',
      `
Examples:
  scopemesh run -c /etc/scopemesh/scopemesh.yaml
  scopemesh run --only intake,relay`,
    )
    .action(async (options: { readonly only: readonly Role[] }) => {
      const config = await cli.openConfig();
      const { around, signal } = cli;
      try {
        await around.runDaemon(
          { config, only: options.only, reload: cli.openConfig, onReload: around.onReload },
          cli.runtime(false),
          signal,
        );
      } catch (error) {
        // Stopped before it ran: as clean a stop as any.
        if (!signal.aborted || error !== signal.reason) throw error;
      }
    });
}

function parseRoles(text: string): readonly Role[] {
  return text.split(',').map((each) => {
    const known = ROLES.find((role) => role === each.trim());
    if (known === undefined) throw new InvalidArgumentError(`choose from ${ROLES.join(', ')}.`);
    return known;
  });
}
