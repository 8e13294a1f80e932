import type { Freeze } from '../../model/freeze.js';
import { NO_FREEZE, toFreezeView } from '../../operator/freezes.js';
import { freezeText } from '../../plan/freeze.js';
import type { Cli } from '../cli.js';
import { otherVersion, refusal, runningDaemon } from '../daemon-client.js';
import type { DocumentedCommand } from '../documented-command.js';
import { parseFreeze } from '../freeze-view.js';
import { parseFor, parseReason } from '../option-values.js';
import { printable } from '../terminal/screen.js';

interface Options {
  readonly reason?: string;
  readonly for?: number;
  readonly json?: true;
}

export function addFreeze(program: DocumentedCommand, cli: Cli): void {
  const freeze = program
    .command('freeze')
    .summary('start or end a freeze: only revocations pass')
    .description(
      'During a freeze scopemesh makes no change that opens or widens access. Revocations pass at once. What is held has ' +
        'the reason Frozen, and is made when the freeze ends. These commands ask the running daemon on this machine.',
    );
  freeze
    .command('status', { isDefault: true })
    .summary('show the freeze in effect')
    .description('Shows whether a freeze is in effect, why and until when.')
    .option('--json', 'print one JSON document: freeze, which is null without one')
    .endHelp('\nExit status: 0; 1 on error.')
    .action(async (options: Pick<Options, 'json'>) => {
      const daemon = await runningDaemon(cli);
      if (daemon.refusal !== undefined) throw refusal(daemon.refusal);
      print(parseFreeze(daemon.status), options, cli);
    });
  freeze
    .command('start')
    .summary('let only revocations pass')
    .description(
      'Starts a freeze. It survives restarts and takes the place of one that was started before. The decision names you.',
    )
    .option('--reason <text>', 'why; decisions and holds repeat it', parseReason)
    .option(
      '--for <duration>',
      'end it after this time, such as 90m; otherwise it lasts until freeze end',
      parseFor(366, '90m'),
    )
    .option('--json', 'print one JSON document: freeze')
    .endHelp(`
Exit status: 0; 1 if it cannot be started.

Example:
  scopemesh freeze start --reason "release 42" --for 4h`)
    .action(async (options: Options) => {
      const { reason, for: forMs } = options;
      const forSeconds = forMs === undefined ? undefined : forMs / 1000;
      print(await ask('start', { reason, forSeconds }, cli), options, cli);
    });
  freeze
    .command('end')
    .summary('make what the freeze held')
    .description(
      'Ends the freeze that freeze start began. What it held is planned and made at once. A freeze of guards.freeze ends ' +
        'by its schedule, or by a change of the file.',
    )
    .option('--reason <text>', 'why; the decision repeats it', parseReason)
    .option('--json', 'print one JSON document: freeze, the scheduled freeze that continues')
    .endHelp('\nExit status: 0; 1 if no freeze was started.')
    .action(async (options: Options) =>
      print(await ask('end', { reason: options.reason }, cli), options, cli),
    );
}

function print(freeze: Freeze | undefined, { json }: Pick<Options, 'json'>, cli: Cli): void {
  if (json) cli.screen.json({ freeze: toFreezeView(freeze) });
  else cli.screen.line(printable(freeze === undefined ? NO_FREEZE : freezeText(freeze)));
}

/** Resolves with the freeze that is in effect then. */
async function ask(verb: 'start' | 'end', body: object, cli: Cli): Promise<Freeze | undefined> {
  const daemon = await runningDaemon(cli);
  const answer = await daemon.post(`/api/freeze/${verb}`, { user: cli.context.user, ...body });
  if (answer === undefined) throw otherVersion();
  return parseFreeze(answer);
}
