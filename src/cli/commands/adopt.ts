import { z } from 'zod';
import { systemClock } from '../../clock.js';
import { messageOf } from '../../errors.js';
import { inParts } from '../../in-parts.js';
import type { HoldReason } from '../../model/decision.js';
import { formatKey, type Key } from '../../model/key.js';
import type { Mode } from '../../model/rule.js';
import { planAdoptions } from '../../operator/adopt.js';
import { planAclAdoptions } from '../../operator/adopt-acl.js';
import { adoptAt } from '../../operator/adopt-requested.js';
import { MAX_SUBJECTS } from '../../operator/requested-adoptions.js';
import type { AclChange } from '../../plan/acl/acl-change.js';
import { policyOf } from '../../plan/mode.js';
import type { Change, Hold } from '../../plan/plan.js';
import type { Cli } from '../cli.js';
import { type DaemonClient, findDaemon, otherVersion, refusal } from '../daemon-client.js';
import type { DocumentedCommand } from '../documented-command.js';
import { type CurrentState, withCurrentState } from '../load-current-state.js';
import { NO_ANSWER, type OneShot, withOneShot } from '../one-shot.js';
import { planSides } from '../plan-sides.js';
import { aclChangeView, changeView, holdView } from '../plan-view.js';
import { accessText } from '../terminal/access-text.js';
import { confirm } from '../terminal/confirm.js';
import { aclKindText, byText, printHolds } from '../terminal/plan-text.js';
import { columns, printable } from '../terminal/screen.js';

interface Options {
  readonly json?: true;
  readonly yes?: true;
}

export function addAdopt(program: DocumentedCommand, cli: Cli): void {
  program
    .command('adopt')
    .summary('adopt unmarked intentions and ACL objects that already match the desired state')
    .description(
      'Finds intention sources and ACL objects without a mark that give exactly the access that scopemesh would give, ' +
        'asks, and writes its mark into their Description. From then on scopemesh may change and remove them. Access ' +
        'stays as it is. Lists the objects that it leaves unchanged, with the reason. A daemon that runs on this machine ' +
        'writes the marks itself.',
    )
    .option('-y, --yes', 'do not ask')
    .option('--json', 'print one JSON document; needs --yes if there is something to write')
    .endHelp(`
Exit status: 0; 1 on error or if you answer no.

Examples:
  scopemesh plan     # shows holds; ForeignSource, ForeignObject and MarkLost may be adoptable
  scopemesh adopt
  scopemesh adopt --yes --json`)
    .action((options: Options) => adoptAll(options, cli));
}

/** By the running daemon on this machine, or instead of it. */
async function adoptAll(options: Options, cli: Cli): Promise<void> {
  const daemon = await findDaemon(await cli.openConfig(), cli.signal);
  if (daemon === undefined)
    return withOneShot(cli, NO_ANSWER, (shot) => takeOver(shot.deps, writerOfShot(shot, cli), options, cli));
  requireLeader(daemon);
  const sides = await withCurrentState(cli, async (read) => read);
  await takeOver(sides, writerOfDaemon(daemon, sides, cli), options, cli);
}

/** What exists where scopemesh would write its own. */
const IN_THE_WAY = new Set<HoldReason>([
  'ForeignSource',
  'ForeignObject',
  'MarkLost',
  'LegacyEntry',
  'ManagedElsewhere',
]);

/** Writes the marks. */
interface Writer {
  /** Resolves with the number of marks. */
  readonly adopt: (key: Key, subjects: readonly string[]) => Promise<number>;
  readonly publish: () => Promise<void>;
  readonly holdsAfter: () => Promise<readonly Hold[]>;
}

function writerOfShot({ deps, cause, publish }: OneShot, { signal }: Cli): Writer {
  return {
    adopt: (key, subjects) => adoptAt(key, new Set(subjects), cause, deps, signal),
    publish,
    holdsAfter: async () => (await planSides(deps, deps.clock)).holds,
  };
}

/** The daemon may wait for a slow Consul, whose requests have limits of their own. */
const ANSWER_MS = 120_000;

const DaemonBody = z.object({
  leader: z.boolean(),
  leading: z.object({ host: z.string() }).nullable(),
  mappingRevision: z.string(),
});

/** Throws ERR_INTERNAL for a daemon that would refuse each adoption. */
function requireLeader({ status, refusal: refused }: DaemonClient): void {
  if (refused !== undefined) throw refusal(`the daemon does not show its status: ${refused}`);
  const { leader, leading } = bodyOf(status);
  if (!leader)
    throw refusal(
      leading === null
        ? 'the daemon on this machine does not lead yet; run scopemesh adopt again in a moment'
        : `the daemon on this machine does not lead, so it adopts nothing: run scopemesh adopt on ${leading.host}, where the leader runs or ran last`,
    );
}

function bodyOf(status: unknown): z.infer<typeof DaemonBody> {
  const body = DaemonBody.safeParse(status);
  if (!body.success) throw otherVersion();
  return body.data;
}

/** The daemon writes, each key in its turn. It publishes by itself. Throws ERR_INTERNAL for one with another mapping. */
function writerOfDaemon(daemon: DaemonClient, { world }: CurrentState, cli: Cli): Writer {
  if (bodyOf(daemon.status).mappingRevision !== world.mapping.revision)
    throw refusal(
      'the daemon has another mapping than this file gives: have it read the file again (send it SIGHUP), then run scopemesh adopt again',
    );
  return {
    async adopt(key, subjects) {
      let adopted = 0;
      for (const part of inParts(subjects, MAX_SUBJECTS)) {
        const body = { user: cli.context.user, key: formatKey(key), subjects: [...new Set(part)] };
        const said = AdoptedBody.safeParse(
          await daemon.post('/api/adoptions', body, { timeoutMs: ANSWER_MS }),
        );
        if (!said.success) throw otherVersion();
        adopted += said.data.adopted;
      }
      return adopted;
    },
    publish: async () => {},
    holdsAfter: () => withCurrentState(cli, async (sides) => (await planSides(sides)).holds),
  };
}

const AdoptedBody = z.object({ adopted: z.number().int().min(0) });

async function takeOver(
  { world, acl }: Pick<CurrentState, 'world' | 'acl'>,
  writer: Writer,
  options: Options,
  cli: Cli,
): Promise<void> {
  const { mode } = world.mapping;
  const intentions = planAdoptions(world, systemClock.now());
  const aclAdoptions = planAclAdoptions({ world, acl, clock: systemClock });
  const found = {
    intentions: intentions.flatMap(({ changes }) => changes),
    acl: aclAdoptions.flatMap(({ changes }) => changes),
  };
  const count = found.intentions.length + found.acl.length;
  if (!options.json) show(found, mode, cli);
  if (count > 0 && !options.yes && !(await confirm(cli, `Adopt these ${count} objects?`))) {
    cli.screen.warn('Nothing was adopted.');
    cli.exit(1);
    return;
  }
  let adopted = 0;
  const errors: string[] = [];
  for (const { key, changes } of [...intentions, ...aclAdoptions]) {
    const what = key.kind === 'destination' ? key.service : formatKey(key);
    const subjects = changes.map(({ subject }) => subject);
    try {
      const done = await writer.adopt(key, subjects);
      adopted += done;
      if (done < subjects.length)
        errors.push(
          `${what}: ${subjects.length - done} of ${subjects.length} were not adopted, because they or what they must equal changed meanwhile; run scopemesh adopt again`,
        );
    } catch (error) {
      if (cli.signal.aborted) throw error;
      errors.push(`${what}: ${messageOf(error)}`);
    }
  }
  await writer
    .publish()
    .catch((error: unknown) =>
      errors.push(`the decisions are stored but not published yet: ${messageOf(error)}`),
    );
  const left = (await writer.holdsAfter()).filter(({ reason }) => IN_THE_WAY.has(reason));
  if (options.json) {
    const changes = [...found.intentions.map(changeView), ...found.acl.map(aclChangeView)];
    cli.screen.json({ changes, left: left.map(holdView), summary: { adopted, left: left.length }, errors });
  } else {
    if (count > 0) cli.screen.line(`Adopted: ${adopted} of ${count}.`);
    if (policyOf({ mode }).writes) printHolds(left, new Map(), cli.screen, leftText(left.length));
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
    screen.line(
      policyOf({ mode }).writes
        ? 'Nothing to adopt.'
        : 'Nothing is adopted in mode observe; set mode: extend or mode: enforce to adopt.',
    );
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
