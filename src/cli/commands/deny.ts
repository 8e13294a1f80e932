import type { Cli } from '../cli.js';
import { otherVersion, runningDaemon } from '../daemon-client.js';
import { denyLine, parseDenyAnswer } from '../deny-view.js';
import type { DocumentedCommand } from '../documented-command.js';
import { parseFor, parseReason } from '../option-values.js';
import { printable } from '../terminal/screen.js';

interface Options {
  readonly for?: number;
  readonly end?: true;
  readonly reason: string;
  readonly json?: true;
}

export function addDeny(program: DocumentedCommand, cli: Cli): void {
  program
    .command('deny')
    .summary('close one edge at once, whatever the identity provider says')
    .description(
      'Closes the edge from SOURCE to DESTINATION for some time, also where only an intention of somebody else for a wildcard ' +
        'opens it. At its end the edge is what the identity provider grants then. The decisions name you.',
    )
    .argument('<source>', 'the calling service')
    .argument('<destination>', 'the called service')
    .option('--for <duration>', 'deny it for this time, such as 2h', parseFor(31, '2h'))
    .option('--end', 'end the deny of this edge before its time')
    .requiredOption('--reason <text>', 'why, such as a ticket; decisions repeat it', parseReason)
    .option('--json', 'print one JSON document: deny')
    .endHelp(`
Exit status: 0; 1 if it is refused.

A deny of the same edge prolongs the one in effect, and never shortens it. With guards.approvers: 2 two
persons must give --end. An intention that somebody else made for this very edge is not changed, and
the deny is refused then. For everything that a client does: scopemesh quarantine.

Examples:
  scopemesh deny web orders --for 2h --reason INC-4711
  scopemesh deny web orders --end --reason "INC-4711 is solved"`)
    .action(async (source: string, destination: string, options: Options, command: DocumentedCommand) => {
      if ((options.for === undefined) === (options.end === undefined))
        return command.error('error: give --for or --end', { exitCode: 1 });
      const body = { user: cli.context.user, source, destination, reason: options.reason };
      await change(
        options.for === undefined
          ? ['/api/denies/end', body]
          : ['/api/denies', { ...body, forSeconds: options.for / 1000 }],
        options,
        cli,
      );
    });
}

async function change(
  [path, body]: readonly [string, object],
  { json }: Pick<Options, 'json'>,
  cli: Cli,
): Promise<void> {
  const daemon = await runningDaemon(cli);
  const answer = parseDenyAnswer(await daemon.post(path, body, { throws404: true }));
  if (answer === undefined) throw otherVersion();
  if (json) return cli.screen.json(answer);
  cli.screen.line(printable(denyLine(answer.deny)));
  if (answer.needsSecond === true) cli.screen.line('another person must end it too');
}
