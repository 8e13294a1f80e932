import type { Cli } from '../cli.js';
import { runningDaemon } from '../daemon-client.js';
import type { DocumentedCommand } from '../documented-command.js';
import { parseReason } from '../option-values.js';
import { printable } from '../terminal/screen.js';

interface Options {
  readonly reason: string;
  readonly json?: true;
}

export function addQuarantine(program: DocumentedCommand, cli: Cli): void {
  program
    .command('quarantine')
    .summary('close everything of one OAuth client at once')
    .description(
      'Puts the client in quarantine, as a report of a compromised secret does: its edges and its ACL objects are closed, and ' +
        'nothing opens, until its secret is seen rotated or scopemesh approve PROVIDER/CLIENT-ID releases it. The decision ' +
        'names you.',
    )
    .argument('<client>', 'PROVIDER/CLIENT-ID')
    .requiredOption('--reason <text>', 'why, such as a ticket; the decision repeats it', parseReason)
    .option('--json', 'print one JSON document: provider and clientId')
    .endHelp(`
Exit status: 0 once the order is stored; 1 if it is refused.

Example:
  scopemesh quarantine main/web-app --reason INC-4711`)
    .action(async (text: string, { reason, json }: Options, command: DocumentedCommand) => {
      const slash = text.indexOf('/');
      if (slash < 1) return command.error('error: write PROVIDER/CLIENT-ID', { exitCode: 1 });
      const [provider, clientId] = [text.slice(0, slash), text.slice(slash + 1)];
      const daemon = await runningDaemon(cli);
      const path = `/api/quarantines/${encodeURIComponent(provider)}/${encodeURIComponent(clientId)}`;
      await daemon.post(path, { user: cli.context.user, reason }, { throws404: true });
      if (json) cli.screen.json({ provider, clientId });
      else cli.screen.line(printable(`quarantine of ${provider}/${clientId} ordered: ${reason}`));
    });
}
