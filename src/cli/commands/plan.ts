import { toMapping } from '../../../config/mapping-revision.js';
import { accessText } from '../../app/access-text.js';
import { planDocument, type Sign, signOf, summaryOf } from '../../app/plan-view.js';
import { edgesOfPlan, reportReach, untouchedEdges } from '../../app/reach-of-plan.js';
import { systemClock } from '../../clock.js';
import { definedFields } from '../../model/defined-fields.js';
import { isRecord } from '../../model/is-record.js';
import type { Mapping } from '../../model/rule.js';
import { toBreakGlassView } from '../../plan/break-glass-view.js';
import { toDenyView } from '../../plan/deny-view.js';
import { isApprovable } from '../../plan/holds.js';
import { policyOf } from '../../plan/mode.js';
import { type FleetPlan, isAnythingToDo } from '../../reconcile/fleet-plan.js';
import type { Cli } from '../cli.js';
import { choice, defineCommand, flag, preset } from '../command.js';
import { type CurrentState, withCurrentState } from '../load-current-state.js';
import { manifestNotes, manifestTexts } from '../manifest-notes.js';
import { planSides } from '../plan-sides.js';
import { findKnownHolds } from '../recorded-holds.js';
import { clientCode, code, table } from '../terminal/markdown.js';
import { pendingText, printPlan, summaryText } from '../terminal/plan-text.js';
import { printReach } from '../terminal/reach-text.js';
import { breakGlassLine, denyLine } from '../terminal/ruling-text.js';
import { printable } from '../terminal/screen.js';
import { learnUnrecorded, touchingMarked } from '../unrecorded-edges.js';
import {
  type Assumption,
  assumeScopes,
  countAlreadyPending,
  parseAssumption,
  readNextConfig,
  type WhatIf,
} from '../what-if.js';

/** With `--detailed-exitcode`, as in terraform. */
const CHANGES_PENDING = 2;

/** Of which a plan says whether calls arrive; those that it opens come first. */
const MAX_EDGES = 50;

export const plan = defineCommand({
  name: 'plan',
  summary: 'show what would change in Consul, and why',
  description:
    'Reads the identity providers and Consul completely and prints the changes and holds, each with its reason. ' +
    'Writes nothing, needs no state directory, and may run beside the daemon. In mode observe the changes are those ' +
    'of mode enforce, and the summary says that they are not written.',
  takes: {
    format: choice('text, or markdown for a comment on a merge request', ['text', 'markdown'], '<format>'),
    whatIf: preset(
      '<change>',
      'plan as if a client had or lacked scopes, or another file were the configuration; may be repeated',
      [],
      parseAssumption,
    ),
    detailedExitcode: flag('exit with 2 if changes are pending; holds do not count'),
  },
  json: 'print one JSON document: changes, holds and summary',
  exit: '0; with --detailed-exitcode 2 if changes are pending, also in mode observe; 1 on error.',
  examples: [
    'scopemesh plan',
    'scopemesh plan --detailed-exitcode || echo "Consul and the identity provider differ"',
    `scopemesh plan --json | jq '.changes[] | select(.action == "revoke")'`,
    'scopemesh plan --what-if client=web-app,+scope=orders:write,-scope=orders:read',
    'scopemesh plan --what-if file=new.yaml --format markdown',
  ],
  faultOf: ({ format, json }) =>
    json && format === 'markdown'
      ? "option '--format <format>' cannot be used with option '--json'"
      : undefined,
  async run(given, cli) {
    const next = await readNextConfig(given.whatIf, cli);
    await withCurrentState(cli, (sides) => show(sides, given, cli), definedFields({ next }));
  },
});

interface Options {
  readonly json?: true;
  readonly format: 'text' | 'markdown';
  readonly whatIf: readonly Assumption[];
  readonly detailedExitcode: true | undefined;
}

async function show(sides: CurrentState, options: Options, cli: Cli): Promise<void> {
  const { config, world, daemon } = sides;
  const { mapping } = world;
  const planAll = () => planUnder(mapping, sides);
  const whatIf = await assume(options.whatIf, sides);
  let plan = await planAll();
  // Without a daemon the log may be unreadable, and the warning of that is about intentions.
  const aclChanges = daemon === undefined ? [] : plan.acl.changes;
  let found: ReturnType<typeof findKnownHolds> | undefined;
  const findHolds = () => {
    found ??= findKnownHolds(config, daemon, cli);
    return found;
  };
  if (await learnUnrecorded(sides, [...touchingMarked(plan), ...aclChanges], cli, findHolds))
    plan = await planAll();
  const needsIds = options.json
    ? plan.holds.length > 0
    : plan.holds.some(({ reason }) => isApprovable(reason));
  const known = (needsIds ? await findHolds() : undefined) ?? new Map();
  const assumed = whatIf && {
    ...whatIf.facts,
    alreadyPending: countAlreadyPending(whatIf.before, plan, world),
  };
  // What is assumed changes nothing for the other edges.
  const others = () => (whatIf === undefined ? untouchedEdges(plan, world) : []);
  const readReach = () =>
    reportReach([...edgesOfPlan(plan), ...others()], MAX_EDGES, sides.consul, world, cli.signal);
  const now = world.breakGlass.timeAt(systemClock.now());
  const breakGlass = world.breakGlass.all.map((each) => toBreakGlassView(each, mapping, now));
  const denies = world.denies.all.map(toDenyView);
  const doubt = !world.records.areKnown && isOfOtherMapping(plan, mapping, daemon) ? [WITHOUT_RECORDS] : [];
  const notes = await manifestNotes(plan, sides.consul, cli.signal);
  const remarks = [...doubt, ...manifestTexts(notes)].map(printable);
  if (options.json) {
    const reach = await readReach();
    cli.screen.json({
      ...planDocument(plan, mapping, known),
      whatIf: assumed ?? null,
      reach,
      breakGlass,
      denies,
      ...(notes === undefined ? {} : { manifests: notes }),
    });
  } else if (options.format === 'markdown')
    cli.screen.line([planMarkdown(plan, mapping, assumed), ...remarks].join('\n\n'));
  else {
    const reach = await readReach();
    printPlan(plan, mapping, known, cli.screen, assumed);
    for (const text of remarks) cli.screen.line(text);
    printReach(reach, cli.screen);
    for (const each of breakGlass) cli.screen.text(`break-glass: ${breakGlassLine(each)}`);
    for (const each of denies) cli.screen.text(`deny: ${denyLine(each)}`);
  }
  if (options.detailedExitcode && isAnythingToDo(plan)) cli.exit(CHANGES_PENDING);
}

const WITHOUT_RECORDS =
  'scopemesh plan does not know which scopes opened an edge. It also shows as RevocationLimit what only the new mapping closes: ' +
  'a daemon that loads the mapping, or scopemesh apply, closes that at once.';

/** Whether the daemon has another mapping, or none runs: then the mass guard may hold less than the plan says. */
function isOfOtherMapping(
  { holds }: FleetPlan,
  { revision }: Mapping,
  daemon: CurrentState['daemon'],
): boolean {
  if (holds.every(({ reason }) => reason !== 'RevocationLimit')) return false;
  return !isRecord(daemon?.status) || daemon.status.mappingRevision !== revision;
}

/** In a mode that writes nothing, the plan of a mode that writes everything, so that it has every change. */
async function planUnder(mapping: Mapping, sides: CurrentState): Promise<FleetPlan> {
  const { world } = sides;
  const next = policyOf(mapping).writes ? mapping : { ...mapping, mode: 'enforce' as const };
  // To set the same one again would cost as much as half of the plan.
  if (next !== world.mapping) world.setMapping(next);
  return planSides(sides);
}

/** Changes the world as assumed. `before` is the plan without the assumptions. */
async function assume(
  assumptions: readonly Assumption[],
  sides: CurrentState,
): Promise<{ readonly before: FleetPlan; readonly facts: Omit<WhatIf, 'alreadyPending'> } | undefined> {
  if (assumptions.length === 0) return undefined;
  const before = await planUnder(toMapping(sides.running), sides);
  assumeScopes(assumptions, sides.world, sides.running);
  return { before, facts: { assumptions: assumptions.map(({ text }) => text) } };
}

/** GitHub takes comments of up to 65,536 characters, and the plan has three tables. */
const MAX_MARKDOWN_CHARACTERS = 18_000;

const VERBS: Readonly<Record<Sign, string>> = { '+': 'open', '~': 'change', '-': 'close' };

/**
 * The plan as Markdown for a comment on a merge request. Every name from a server is in a code span, where GitHub and
 * GitLab take nothing for markup, a link, a mention or a reference.
 */
function planMarkdown(plan: FleetPlan, mapping: Mapping, whatIf?: WhatIf): string {
  const { changes, holds } = planDocument(plan, mapping);
  const edges = plan.changes.map((change) => [
    VERBS[signOf(change)],
    code(change.resource.source ?? ''),
    code(change.resource.destination ?? ''),
    code(`${accessText(change.before)} -> ${accessText(change.after)}`),
    change.reason,
    code(change.scopes.join(' ')),
    clientCode(change.client),
  ]);
  const objects = changes
    .filter(({ resource }) => resource.kind !== 'intention')
    .map(({ verb, resource, reason, ...change }) => [
      verb,
      resource.kind,
      code(('name' in resource ? resource.name : undefined) ?? ''),
      reason,
      clientCode('client' in change ? change.client : undefined),
    ]);
  const held = holds.map(({ reason, detail, resource, subject }) => {
    const { source, destination, name } = resource;
    const what = source === undefined ? subject : `${source} -> ${destination}`;
    return [reason, code(name ?? what), code(detail)];
  });
  const blocks = [
    `### scopemesh plan of ${code(mapping.owner)}`,
    ...(whatIf === undefined ? [] : [`What if ${whatIf.assumptions.map(code).join(' and ')}:`]),
    ...(isAnythingToDo(plan)
      ? []
      : [holds.length === 0 ? 'No changes. Consul matches the identity provider.' : 'No changes.']),
    ...table(
      ['', 'source', 'destination', 'access', 'reason', 'scopes', 'client'],
      edges,
      MAX_MARKDOWN_CHARACTERS,
    ),
    ...table(['', 'object', 'name', 'reason', 'client'], objects, MAX_MARKDOWN_CHARACTERS),
    ...table(['held', 'what', 'why'], held, MAX_MARKDOWN_CHARACTERS),
    `**${summaryText(summaryOf(plan), mapping)}**`,
    ...(whatIf === undefined || whatIf.alreadyPending === 0 ? [] : [pendingText(whatIf)]),
  ];
  return blocks.join('\n\n');
}
