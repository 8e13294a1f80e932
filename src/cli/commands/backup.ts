import type { Cli } from '../cli.js';
import type { DocumentedCommand } from '../documented-command.js';
import { printable } from '../terminal/screen.js';

export function addBackup(program: DocumentedCommand, cli: Cli): void {
  program
    .command('backup')
    .summary('copy the state, also while the daemon runs')
    .description(
      'Copies the databases of state.directory, each as of one instant, and the key that signs the decision log into a ' +
        'directory that does not exist yet, for its owner alone. Needs no secret of the file. It does not copy what is in ' +
        'Redis or Kafka.',
    )
    .argument('<directory>', 'where the copy is made')
    .option('--json', 'print one JSON document: directory and files')
    .endHelp(`
Exit status: 0; 1 if no backup was made.

Example:
  scopemesh backup /var/backups/scopemesh/2026-01-31`)
    .action(async (directory: string, options: { readonly json?: true }) => {
      const { state } = await cli.openLogSettings();
      const { copyState } = await cli.context.adapters();
      const files = await copyState(state.directory, directory);
      if (options.json) cli.screen.json({ directory, files });
      else cli.screen.line(printable(`copied ${files.join(', ')} to ${directory}`));
    });
}
