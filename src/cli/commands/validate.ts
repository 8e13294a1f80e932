import type { Command } from 'commander';
import { ConfigError, formatPath } from '../../../config/config-error.js';
import type { Cli } from '../cli.js';

export function addValidate(program: Command, cli: Cli): void {
  program
    .command('validate')
    .summary('check the configuration file without any server')
    .description(
      'Checks the configuration file without any server and reports every fault with its line and column.',
    )
    .option('--json', 'print one JSON document: valid, and problems')
    .addHelpText(
      'after',
      `
Exit status: 0 if the file is valid; 1 if not.

Examples:
  scopemesh validate
  scopemesh validate -c /etc/scopemesh/scopemesh.yaml --json`,
    )
    .action(async (options: { readonly json?: true }) => {
      if (!options.json) {
        await cli.openConfig();
        cli.screen.line('The configuration is valid.');
        return;
      }
      try {
        await cli.openConfig();
        cli.screen.json({ valid: true, problems: [] });
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error;
        const problems = error.problems.map((problem) => ({ ...problem, path: formatPath(problem.path) }));
        cli.screen.json({ valid: false, problems });
        cli.exit(1);
      }
    });
}
