import type { Command } from 'commander';
import { messageOf } from '../../errors.js';
import type { HoldReason } from '../../model/decision.js';
import { formatKey } from '../../model/key.js';
import type { Mode } from '../../model/rule.js';
import type { AclChange } from '../../plan/acl/acl-change.js';
import type { Change } from '../../plan/plan.js';
import { adoptAcl, planAclAdoptions } from '../../reconcile/acl/adopt-acl.js';
import { adopt, planAdoptions } from '../../reconcile/adopt.js';
import type { Cli } from '../cli.js';
import { type OneShot, planShot, withOneShot } from '../one-shot.js';
import { aclChangeView, changeView, holdView } from '../plan-view.js';
import { accessText } from '../terminal/access-text.js';
import { confirm } from '../terminal/confirm.js';
import { aclKindText, byText, printHolds } from '../terminal/plan-text.js';
import { columns, printable } from '../terminal/screen.js';

interface Options {
  readonly json?: true;
  readonly yes?: true;
}

export function addAdopt(program: Command, cli: Cli): void {
  program
    .command('adopt')
    .summary('adopt unmarked intentions and ACL objects that already match the desired state')
    .description(
      'Finds intention sources and ACL objects without a mark that give exactly the access that scopemesh would give, ' +
        'asks, and writes its mark into their Description. From then on scopemesh may change and remove them. Access ' +
        'stays as it is. Lists the objects that it leaves unchanged, with the reason.',
    )
    .option('-y, --yes', 'do not ask')
    .option('--json', 'print one JSON document; needs --yes if there is something to write')
    .addHelpText(
      'after',
      `
Exit status: 0; 1 on error or if you answer no.

Examples:
  scopemesh plan     # shows holds; ForeignSource, ForeignObject and MarkLost may be adoptable
  scopemesh adopt
  scopemesh adopt --yes --json`,
    )
    .action((options: Options) =>
      withOneShot(
        cli,
        'the daemon is running and holds the state directory; stop it while scopemesh adopt runs',
        (shot) => takeOver(shot, options, cli),
      ),
    );
}

/** What exists where scopemesh would write its own. */
const IN_THE_WAY = new Set<HoldReason>([
  'ForeignSource',
  'ForeignObject',
  'MarkLost',
  'LegacyEntry',
  'ManagedElsewhere',
]);

async function takeOver(shot: OneShot, options: Options, cli: Cli): Promise<void> {
  const { deps, cause, publish } = shot;
  const intentions = planAdoptions(deps.world, deps.clock.now());
  const acl = planAclAdoptions(deps);
  const found = {
    intentions: intentions.flatMap(({ changes }) => changes),
    acl: acl.flatMap(({ changes }) => changes),
  };
  const count = found.intentions.length + found.acl.length;
  if (!options.json) show(found, deps.world.mapping.mode, cli);
  if (count > 0 && !options.yes && !(await confirm(cli, `Adopt these ${count} objects?`))) {
    cli.screen.warn('Nothing was adopted.');
    cli.exit(1);
    return;
  }
  let adopted = 0;
  const errors: string[] = [];
  const attempt = async (what: string, work: () => Promise<number>) => {
    try {
      adopted += await work();
    } catch (error) {
      if (cli.signal.aborted) throw error;
      errors.push(`${what}: ${messageOf(error)}`);
    }
  };
  for (const { destination } of intentions)
    await attempt(destination.name, () => adopt(destination, cause, deps, cli.signal));
  for (const adoption of acl)
    await attempt(formatKey(adoption.key), () => adoptAcl(adoption, cause, deps, cli.signal));
  await publish().catch((error: unknown) =>
    errors.push(`the decisions are stored but not published yet: ${messageOf(error)}`),
  );
  const left = (await planShot(shot)).holds.filter(({ reason }) => IN_THE_WAY.has(reason));
  if (options.json) {
    const changes = [...found.intentions.map(changeView), ...found.acl.map(aclChangeView)];
    cli.screen.json({ changes, left: left.map(holdView), summary: { adopted, left: left.length }, errors });
  } else {
    if (count > 0) cli.screen.line(`Adopted: ${adopted} of ${count}.`);
    if (deps.world.mapping.mode !== 'observe') printHolds(left, new Map(), cli.screen, leftText(left.length));
  }
  for (const error of errors) cli.screen.warn(printable(`scopemesh: ${error}`));
  if (errors.length > 0) cli.exit(1);
}

function leftText(count: number): string {
  return `${count} left as ${count === 1 ? 'it is' : 'they are'}:`;
}

function show(
  { intentions, acl }: { readonly intentions: readonly Change[]; readonly acl: readonly AclChange[] },
  mode: Mode,
  { screen }: Cli,
): void {
  if (intentions.length + acl.length === 0)
    screen.line(mode === 'observe' ? 'Nothing is adopted in mode observe.' : 'Nothing to adopt.');
  const rows = intentions.map((change) => [
    printable(`${change.source.name} -> ${change.resource.destination}`),
    accessText(change.before),
    printable(`scopes ${change.scopes.join(' ')}`),
  ]);
  const aclRows = acl.map((change) => [
    printable(change.resource.name ?? ''),
    aclKindText(change.resource.kind),
    byText(change),
  ]);
  for (const row of [...columns(rows), ...columns(aclRows)])
    screen.line(`  ${screen.colors.yellow('~')} ${row}`);
}
