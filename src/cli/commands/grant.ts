import { InvalidArgumentError } from 'commander';
import { toShellWord } from '../../model/shell-word.js';
import { METHOD } from '../../operator/stored-break-glass.js';
import type { BreakGlassView } from '../../plan/break-glass-view.js';
import { breakGlassLine, parseBreakGlassAnswer, parseBreakGlasses } from '../break-glass-view.js';
import type { Cli } from '../cli.js';
import { otherVersion, refusal, runningDaemon } from '../daemon-client.js';
import type { DocumentedCommand } from '../documented-command.js';
import { parseFor, parseReason } from '../option-values.js';
import { printable } from '../terminal/screen.js';

interface Options {
  readonly for: number;
  readonly reason: string;
  readonly method?: readonly string[];
  readonly path?: string;
  readonly duringFreeze?: true;
  readonly json?: true;
}

export function addGrant(program: DocumentedCommand, cli: Cli): void {
  const grant = program
    .command('grant')
    .summary('break-glass: open an edge for some time that the identity provider does not grant')
    .description(
      'Opens an edge although no scope of the identity provider does, and closes it at the end of its time, also after ' +
        'restarts and changes of the leader. guards.breakGlass must allow it.',
    );
  grant
    .command('open', { isDefault: true })
    .summary('open an edge for some time')
    .description(
      'Opens the edge from SOURCE to DESTINATION. The decisions name you. With guards.approvers: 2 it opens when another ' +
        'person approves it: scopemesh approve ID. The word open may be left out.',
    )
    .argument('<source>', 'the calling service')
    .argument('<destination>', 'the called service')
    .requiredOption('--for <duration>', 'close it after this time, such as 2h', parseFor(31, '2h'))
    .requiredOption(
      '--reason <text>',
      'why, such as a ticket; decisions and reminders repeat it',
      parseReason,
    )
    .option('--method <method>', 'only this HTTP method; may be repeated', parseMethod)
    .option('--path <path>', 'only this path and everything under it')
    .option('--during-freeze', 'open it also during a freeze')
    .option('--json', 'print one JSON document: grant and heldBy')
    .endHelp(`
Exit status: 0, also while it waits for a second person; 1 if it is refused.

A service that guards.protected lists, a client in quarantine, and an intention that somebody else
wrote are never opened by it.

Examples:
  scopemesh grant web orders --for 2h --reason INC-4711
  scopemesh grant web orders --method GET --path /v1/orders --for 30m --reason INC-4711`)
    .action((source: string, destination: string, options: Options) =>
      ask(source, destination, options, cli),
    );
  grant
    .command('list')
    .summary('show the break-glass grants')
    .description('Shows every break-glass grant that is open, waits for a second person, or is being closed.')
    .option('--json', 'print one JSON document: grants')
    .endHelp('\nExit status: 0; 1 on error.')
    .action((options: Pick<Options, 'json'>) => list(options, cli));
  grant
    .command('end')
    .summary('close a break-glass grant before its time')
    .description('Closes the edge of a break-glass grant at once, or drops a request for one.')
    .argument('<id>', 'the ID, as scopemesh grant list prints it')
    .requiredOption('--reason <text>', 'why; the decision repeats it', parseReason)
    .option('--json', 'print one JSON document: grant')
    .endHelp('\nExit status: 0; 1 if no such grant is open.')
    .action((id: string, options: Pick<Options, 'reason' | 'json'>) => end(id, options, cli));
}

async function ask(source: string, destination: string, options: Options, cli: Cli): Promise<void> {
  const daemon = await runningDaemon(cli);
  const { method: methods, path, duringFreeze, reason } = options;
  const { user } = cli.context;
  const body = {
    user,
    source,
    destination,
    reason,
    forSeconds: options.for / 1000,
    methods,
    path,
    duringFreeze,
  };
  const answer = parseBreakGlassAnswer(await daemon.post('/api/break-glass', body));
  if (answer === undefined) throw otherVersion();
  if (options.json) return cli.screen.json(answer);
  cli.screen.line(printable(breakGlassLine(answer.grant)));
  if (answer.grant.state === 'asked')
    cli.screen.line(
      printable(`another person opens it within an hour: scopemesh approve ${toShellWord(answer.grant.id)}`),
    );
  if (answer.heldBy !== null)
    cli.screen.warn(printable(`scopemesh: the edge stays closed for now: ${answer.heldBy}`));
}

async function list({ json }: Pick<Options, 'json'>, cli: Cli): Promise<void> {
  const daemon = await runningDaemon(cli);
  if (daemon.refusal !== undefined) throw refusal(daemon.refusal);
  const grants = parseBreakGlasses(daemon.status);
  if (grants === undefined) throw otherVersion();
  if (json) return cli.screen.json({ grants });
  if (grants.length === 0) cli.screen.line('no break-glass grant is open');
  for (const each of grants) cli.screen.line(printable(breakGlassLine(each)));
}

async function end(id: string, { reason, json }: Pick<Options, 'reason' | 'json'>, cli: Cli): Promise<void> {
  const daemon = await runningDaemon(cli);
  const path = `/api/break-glass/${encodeURIComponent(id)}/end`;
  const said = await daemon.post(path, { user: cli.context.user, reason });
  if (said === undefined) throw refusal(`no break-glass grant has the ID ${id}; it may be over`);
  const grant: BreakGlassView | undefined = parseBreakGlassAnswer(said)?.grant;
  if (grant === undefined) throw otherVersion();
  if (json) cli.screen.json({ grant });
  else cli.screen.line(printable(breakGlassLine(grant)));
}

function parseMethod(text: string, before: readonly string[] = []): readonly string[] {
  if (METHOD.test(text)) return [...before, text];
  throw new InvalidArgumentError('write a method in capitals, such as GET');
}
