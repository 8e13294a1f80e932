import type { Command } from 'commander';
import { messageOf } from '../../src/errors.js';
import { adopt, planAdoptions } from '../../src/reconcile/adopt.js';
import type { Cli } from '../cli.js';
import { type OneShot, withOneShot } from '../one-shot.js';
import { changeView } from '../plan-view.js';
import { accessText } from '../terminal/access-text.js';
import { confirm } from '../terminal/confirm.js';
import { columns, printable } from '../terminal/screen.js';

interface Options {
  readonly json?: true;
  readonly yes?: true;
}

export function addAdopt(program: Command, cli: Cli): void {
  program
    .command('adopt')
    .summary('take over unmarked intentions that equal the desired ones')
    .description(
      'Finds sources without a mark that let through exactly what scopemesh would, and after asking writes its mark ' +
        'into their Description. From then on scopemesh may change and remove them. Access stays as it is.',
    )
    .option('-y, --yes', 'do not ask')
    .option('--json', 'print one JSON document; takes --yes where something is to be written')
    .addHelpText(
      'after',
      `
Exit status: 0; 1 on error, or if the answer is no.

Examples:
  scopemesh plan     # what is held as ForeignSource or MarkLost may be adoptable
  scopemesh adopt
  scopemesh adopt --yes --json`,
    )
    .action((options: Options) =>
      withOneShot(
        cli,
        'the daemon runs and holds the state directory; stop it for as long as scopemesh adopt takes',
        (shot) => takeOver(shot, options, cli),
      ),
    );
}

async function takeOver({ deps, cause, publish }: OneShot, options: Options, cli: Cli): Promise<void> {
  const adoptions = planAdoptions(deps.world, deps.clock.now());
  const changes = adoptions.flatMap((adoption) => adoption.changes);
  const { mode } = deps.world.mapping;
  if (!options.json) {
    if (changes.length === 0)
      cli.screen.line(mode === 'observe' ? 'Mode is observe: nothing is adopted.' : 'Nothing to adopt.');
    const rows = changes.map((change) => [
      printable(`${change.source.name} -> ${change.resource.destination}`),
      accessText(change.before),
      printable(`scopes ${change.scopes.join(' ')}`),
    ]);
    for (const row of columns(rows)) cli.screen.line(`  ${cli.screen.colors.yellow('~')} ${row}`);
  }
  if (changes.length > 0 && !options.yes && !(await confirm(cli, `Adopt these ${changes.length}?`))) {
    cli.screen.warn('Nothing was adopted.');
    cli.exit(1);
    return;
  }
  let adopted = 0;
  const errors: string[] = [];
  for (const { destination } of adoptions) {
    try {
      adopted += await adopt(destination, cause, deps, cli.signal);
    } catch (error) {
      if (cli.signal.aborted) throw error;
      errors.push(`${destination.name}: ${messageOf(error)}`);
    }
  }
  await publish().catch((error: unknown) =>
    errors.push(`the decisions are kept but not published yet: ${messageOf(error)}`),
  );
  if (options.json) cli.screen.json({ changes: changes.map(changeView), summary: { adopted }, errors });
  else if (changes.length > 0) cli.screen.line(`Adopted: ${adopted} of ${changes.length}.`);
  for (const error of errors) cli.screen.warn(printable(`scopemesh: ${error}`));
  if (errors.length > 0) cli.exit(1);
}
