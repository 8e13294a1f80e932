import { localPerson } from '../../model/cause.js';
import type { Freeze } from '../../model/freeze.js';
import {
  endFreeze,
  type FreezeEnd,
  type FreezeRequest,
  NO_FREEZE,
  readFreeze,
  SCHEDULED_FREEZE,
  startFreeze,
  toFreezeView,
} from '../../operator/freezes.js';
import { freezeText } from '../../plan/freeze.js';
import type { Cli } from '../cli.js';
import { findDaemon, otherVersion, refusal } from '../daemon-client.js';
import type { DocumentedCommand } from '../documented-command.js';
import { parseFreeze } from '../freeze-view.js';
import { withIdleStore } from '../one-shot.js';
import { parseFor, parseReason } from '../option-values.js';
import { printable } from '../terminal/screen.js';

interface Options {
  readonly reason?: string;
  readonly for?: number;
  readonly json?: true;
}

/** The freeze of the daemon, or of the store if no daemon runs. */
interface FreezeControl {
  status(): Promise<Freeze | undefined>;
  start(request: FreezeRequest): Promise<Freeze | undefined>;
  /** What goes on after it. */
  end(reason: string | undefined): Promise<Freeze | undefined>;
}

export function addFreeze(program: DocumentedCommand, cli: Cli): void {
  const freeze = program
    .command('freeze')
    .summary('start or end a freeze: only revocations pass')
    .description(
      'During a freeze scopemesh makes no change that opens or widens access. Revocations pass at once. What is held has ' +
        'the reason Frozen, and is made when the freeze ends. These commands ask the running daemon on this machine, or ' +
        'open the store if none runs.',
    );
  freeze
    .command('status', { isDefault: true })
    .summary('show the freeze in effect')
    .description('Shows whether a freeze is in effect, why and until when.')
    .option('--json', 'print one JSON document: freeze, which is null without one')
    .endHelp('\nExit status: 0; 1 on error.')
    .action((options: Pick<Options, 'json'>) =>
      withFreeze(cli, async (control) => print(await control.status(), options, cli), false),
    );
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
    .action((options: Options) =>
      withFreeze(cli, async (control) =>
        print(await control.start({ reason: options.reason, forMs: options.for }), options, cli),
      ),
    );
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
    .action((options: Options) =>
      withFreeze(cli, async (control) => print(await control.end(options.reason), options, cli)),
    );
}

function print(freeze: Freeze | undefined, { json }: Pick<Options, 'json'>, cli: Cli): void {
  if (json) cli.screen.json({ freeze: toFreezeView(freeze) });
  else cli.screen.line(printable(freeze === undefined ? NO_FREEZE : freezeText(freeze)));
}

async function withFreeze(
  cli: Cli,
  use: (control: FreezeControl) => Promise<void>,
  changes = true,
): Promise<void> {
  const { user } = cli.context;
  const daemon = await findDaemon(await cli.openDaemonSettings(), cli.signal);
  if (daemon !== undefined) {
    const post = async (verb: string, body: object) => {
      const answer = await daemon.post(`/api/freeze/${verb}`, { user, ...body });
      if (answer === undefined) throw otherVersion();
      return parseFreeze(answer);
    };
    return use({
      async status() {
        if (daemon.refusal !== undefined) throw refusal(daemon.refusal);
        return parseFreeze(daemon.status);
      },
      start: ({ reason, forMs }) =>
        post('start', { reason, forSeconds: forMs === undefined ? undefined : forMs / 1000 }),
      end: (reason) => post('end', { reason }),
    });
  }
  await withIdleStore(
    await cli.openConfig(),
    cli,
    (deps) =>
      use({
        status: () => readFreeze(deps),
        start: (request) => startFreeze(request, localPerson(user), deps),
        end: async (reason) => leftAfter(await endFreeze(reason, localPerson(user), deps)),
      }),
    changes,
  );
}

function leftAfter(end: FreezeEnd): Freeze | undefined {
  switch (end.kind) {
    case 'ended':
      return end.left;
    case 'none':
      throw refusal(NO_FREEZE);
    case 'scheduled':
      throw refusal(SCHEDULED_FREEZE);
  }
}
