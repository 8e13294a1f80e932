import { z } from 'zod';
import type { AclChange } from '../../acl/plan/acl-change.js';
import { accessText } from '../../app/access-text.js';
import { aclChangeView, changeView, holdView } from '../../app/plan-view.js';
import { systemClock } from '../../clock.js';
import { messageOf } from '../../errors.js';
import { inParts } from '../../in-parts.js';
import type { HoldReason } from '../../model/decision.js';
import { formatKey, type Key } from '../../model/key.js';
import type { Mode } from '../../model/rule.js';
import { planAdoptions } from '../../operator/adopt.js';
import { planAclAdoptions } from '../../operator/adopt-acl.js';
import { MAX_SUBJECTS } from '../../operator/requested-adoptions.js';
import { policyOf } from '../../plan/mode.js';
import type { Change } from '../../plan/plan.js';
import type { Cli } from '../cli.js';
import { defineCommand } from '../command.js';
import { type DaemonClient, refusal, runningDaemon, statusOf } from '../daemon-client.js';
import { withCurrentState } from '../load-current-state.js';
import { planSides } from '../plan-sides.js';
import { agrees, YES } from '../terminal/confirm.js';
import { aclKindText, byText, printHolds } from '../terminal/plan-text.js';
import { columns, printable } from '../terminal/screen.js';

export const adopt = defineCommand({
  name: 'adopt',
  summary: 'adopt unmarked intentions and ACL objects that already match the desired state',
  description:
    'Finds intention sources and ACL objects without a mark that give exactly the access that scopemesh would give, ' +
    'asks, and writes its mark into their Description. From then on scopemesh may change and remove them. Access ' +
    'stays as it is. Lists the objects that it leaves unchanged, with the reason. The leading daemon on this machine ' +
    'writes the marks.',
  takes: { yes: YES },
  json: 'print one JSON document; needs --yes if there is something to write',
  exit: '0; 1 on error or if you answer no.',
  examples: [
    'scopemesh plan     # shows holds; ForeignSource, ForeignObject and MarkLost may be adoptable',
    'scopemesh adopt',
    'scopemesh adopt --yes --json',
  ],
  async run(given, cli) {
    const daemon = await runningDaemon(cli);
    const { leader, leading, mappingRevision } = statusOf(daemon, LEADER);
    if (!leader)
      throw refusal(
        leading === null
          ? 'the daemon on this machine does not lead yet; run scopemesh adopt again in a moment'
          : `the daemon on this machine does not lead, so it adopts nothing: run scopemesh adopt on ${leading.host}, where the leader runs or ran last`,
      );
    const { world, acl } = await withCurrentState(cli, async (read) => read);
    const { mode, revision } = world.mapping;
    if (mappingRevision !== revision)
      throw refusal(
        'the daemon has another mapping than this file gives: have it read the file again (send it SIGHUP), then run scopemesh adopt again',
      );
    const intentions = planAdoptions(world, systemClock.now());
    const aclAdoptions = planAclAdoptions({ world, acl, clock: systemClock });
    const found = {
      intentions: intentions.flatMap(({ changes }) => changes),
      acl: aclAdoptions.flatMap(({ changes }) => changes),
    };
    const count = found.intentions.length + found.acl.length;
    if (!given.json) show(found, mode, cli);
    if (count > 0 && !(await agrees(cli, given, `Adopt these ${count} objects?`, 'Nothing was adopted.')))
      return;
    let adopted = 0;
    const errors: string[] = [];
    for (const { key, changes } of [...intentions, ...aclAdoptions]) {
      const what = key.kind === 'destination' ? key.service : formatKey(key);
      const subjects = changes.map(({ subject }) => subject);
      try {
        const done = await adoptAll(key, subjects, daemon, cli.context);
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
    const { holds } = await withCurrentState(cli, (sides) => planSides(sides));
    const left = holds.filter(({ reason }) => IN_THE_WAY.has(reason));
    if (given.json) {
      const changes = [...found.intentions.map(changeView), ...found.acl.map(aclChangeView)];
      cli.screen.json({ changes, left: left.map(holdView), summary: { adopted, left: left.length }, errors });
    } else {
      if (count > 0) cli.screen.line(`Adopted: ${adopted} of ${count}.`);
      const title = `${left.length} left as ${left.length === 1 ? 'it is' : 'they are'}:`;
      if (policyOf({ mode }).writes) printHolds(left, new Map(), cli.screen, title);
    }
    for (const error of errors) cli.screen.warn(`scopemesh: ${error}`);
    if (errors.length > 0) cli.exit(1);
  },
});

/** What exists where scopemesh would write its own. */
const IN_THE_WAY = new Set<HoldReason>([
  'ForeignSource',
  'ForeignObject',
  'MarkLost',
  'LegacyEntry',
  'ManagedElsewhere',
]);

/** The daemon may wait for a slow Consul, whose requests have limits of their own. */
const ANSWER_MS = 120_000;

const LEADER = z.object({
  leader: z.boolean(),
  leading: z.object({ host: z.string() }).nullable(),
  mappingRevision: z.string(),
});
const ADOPTED = z.object({ adopted: z.number().int().min(0) });

/** The daemon writes, each key in its turn. Resolves with the number of marks. */
async function adoptAll(
  key: Key,
  subjects: readonly string[],
  daemon: DaemonClient,
  { user }: Cli['context'],
): Promise<number> {
  let adopted = 0;
  for (const part of inParts(subjects, MAX_SUBJECTS)) {
    const body = { user, key: formatKey(key), subjects: [...new Set(part)] };
    adopted += (await daemon.post('/api/adoptions', body, ADOPTED, { timeoutMs: ANSWER_MS })).adopted;
  }
  return adopted;
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
