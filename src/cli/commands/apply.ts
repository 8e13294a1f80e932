import type { KnownHold, KnownHolds } from '../../app/plan-view.js';
import { planDocument } from '../../app/plan-view.js';
import { messageOf } from '../../errors.js';
import { localPerson } from '../../model/cause.js';
import { ruleOnHold } from '../../operator/approvals.js';
import { type Ruled, rulingAnswer } from '../../operator/rulings.js';
import { rejecterOf } from '../../plan/guards/approval.js';
import { holdKey } from '../../plan/holds.js';
import { policyOf } from '../../plan/mode.js';
import { type FleetPlan, isAnythingToDo } from '../../reconcile/fleet-plan.js';
import { applyOnce, type Failure } from '../apply-once.js';
import type { Cli } from '../cli.js';
import { defineCommand, option } from '../command.js';
import { refusalText } from '../daemon-client.js';
import { manifestNotes, manifestTexts } from '../manifest-notes.js';
import { type OneShot, withOneShot } from '../one-shot.js';
import { oneMore } from '../option-values.js';
import { planSides } from '../plan-sides.js';
import { type Answers, agrees, YES } from '../terminal/confirm.js';
import { approveCommand, printPlan } from '../terminal/plan-text.js';
import { withProgress } from '../terminal/progress.js';
import { ruledText } from '../terminal/ruled-text.js';

const FAILED = 1;
const SOME_HELD = 3;

export const apply = defineCommand({
  name: 'apply',
  summary: 'make Consul match the identity provider once, after asking',
  description:
    'Plans, asks, and applies the plan once, as the daemon would. Each write has a decision that is recorded before ' +
    'it and settled after it, and names you as the principal.',
  takes: {
    yes: YES,
    approve: option('<id>', 'also make the held change with this decision ID; may be repeated', oneMore),
  },
  json: 'print one JSON document; needs --yes if there is something to write',
  exit: `0; 3 if some changes are held (in observe, all); 1 on error, if an ID cannot be
approved, or if you answer no.`,
  notes: `Where no daemon runs, --approve releases a held change as scopemesh approve does beside a daemon.
It is good for this one change, and its decision names you. With guards.approvers: 2 another person
must have approved the change before.`,
  examples: [
    'scopemesh apply',
    'scopemesh apply --yes --json | jq .summary',
    'scopemesh apply --approve 01JDXK4T0QJ5W3M8V7Z2R6N9PB',
  ],
  run: (given, cli) =>
    withOneShot(
      cli,
      'the daemon is running and applies changes itself; scopemesh plan shows what is pending',
      (shot) => applyAll(shot, given, cli),
    ),
});

interface Options extends Answers {
  readonly approve?: readonly string[] | undefined;
}

async function applyAll(shot: OneShot, options: Options, cli: Cli): Promise<void> {
  const { deps, cause } = shot;
  const planAll = () => planSides(deps, deps.clock);
  const first = await planAll();
  const forbidden = await planForbidden(shot);
  if (!options.json) await show(forbidden ?? first, deps, cli);
  const { approve = [] } = options;
  const plan = await confirmed(first, approve.length, planAll, shot, options, cli);
  if (plan === undefined) return;
  const { approved, refused } = await approveAll(approve, shot, cli);
  if (!options.json) for (const each of approved) cli.screen.line(`approved  ${ruledText(each)}`);
  let progress = '0 of 0';
  const failed = await withProgress(
    cli.context.stderr,
    () => `applying ${progress}`,
    () =>
      applyOnce(
        plan,
        cause,
        deps,
        shot.writes,
        (done, all) => {
          progress = `${done} of ${all}`;
        },
        cli.signal,
      ),
  );
  const publishing = await shot.publish().then(
    () => undefined,
    (error: unknown) => messageOf(error),
  );
  const after = await planAll();
  const shown = forbidden ?? { ...plan, holds: after.holds };
  const failures = [...refused, ...failed];
  const known = await knownHolds(deps);
  report(shown, after.holds.length > 0, known, approved, failures, publishing, shot, options, cli);
}

/** Before the first write: a job makes what is approved by then. */
async function approveAll(
  ids: readonly string[],
  { deps }: OneShot,
  { context: { user } }: Cli,
): Promise<{ readonly approved: readonly Ruled[]; readonly refused: readonly Failure[] }> {
  const approved: Ruled[] = [];
  const refused: Failure[] = [];
  for (const id of ids) {
    const result = await ruleOnHold(id, 'approved', localPerson(user), deps);
    const answer = rulingAnswer(id, result, 'approve');
    if ('error' in answer) refused.push({ key: id, error: refusalText(answer) });
    else approved.push(answer);
  }
  return { approved, refused };
}

/** In a mode that writes nothing, what it keeps `enforce` from making, as `scopemesh plan` shows it. */
async function planForbidden({ deps }: OneShot): Promise<FleetPlan | undefined> {
  const { world, clock } = deps;
  const { mapping } = world;
  if (policyOf(mapping).writes) return undefined;
  world.setMapping({ ...mapping, mode: 'enforce' });
  try {
    return await planSides(deps, clock);
  } finally {
    world.setMapping(mapping);
  }
}

/** No daemon runs beside this command. */
function approveHere(hold: Pick<KnownHold, 'decisionId' | 'rejectedBy'>): string {
  return hold.rejectedBy === null ? `scopemesh apply --approve ${hold.decisionId}` : approveCommand(hold);
}

async function show(plan: FleetPlan, deps: OneShot['deps'], cli: Cli): Promise<void> {
  printPlan(plan, deps.world.mapping, await knownHolds(deps), cli.screen, undefined, approveHere);
  for (const text of manifestTexts(await manifestNotes(plan, deps.consul, cli.signal))) cli.screen.text(text);
}

/** The plan that a person confirmed and that has not changed since; undefined for a no. */
async function confirmed(
  asked: FleetPlan,
  approvals: number,
  planAll: () => Promise<FleetPlan>,
  { reread, deps }: OneShot,
  answers: Answers,
  cli: Cli,
): Promise<FleetPlan | undefined> {
  const { mapping } = deps.world;
  const textOf = (plan: FleetPlan) => JSON.stringify(planDocument(plan, mapping));
  let plan = asked;
  const question =
    approvals === 0 ? 'Apply these changes?' : `Apply these changes, and approve ${approvals}?`;
  while (isAnythingToDo(plan) || approvals > 0) {
    if (!(await agrees(cli, answers, question, 'Nothing was applied.'))) return undefined;
    if (answers.yes) return plan;
    await reread();
    const now = await planAll();
    if (textOf(now) === textOf(plan)) return now;
    cli.screen.warn('The plan has changed:');
    await show(now, deps, cli);
    plan = now;
  }
  return plan;
}

function report(
  plan: FleetPlan,
  isSomeHeld: boolean,
  known: KnownHolds,
  approved: readonly Ruled[],
  failures: readonly Failure[],
  publishing: string | undefined,
  shot: OneShot,
  options: Options,
  cli: Cli,
): void {
  const count = (outcome: string) =>
    shot.settled.filter((decision) => decision.outcome === outcome && decision.reason !== 'Conflict').length;
  const [applied, failed, unknown] = [count('applied'), count('failed'), count('unknown')];
  if (options.json) {
    const document = planDocument(plan, shot.deps.world.mapping, known);
    cli.screen.json({
      ...document,
      summary: { ...document.summary, applied, failed, unknown },
      approved,
      errors: [
        ...failures.map(({ key, error }) => ({ key, message: error })),
        ...(publishing === undefined ? [] : [{ key: 'decisions', message: publishing }]),
      ],
    });
  } else if (applied + failed + unknown > 0) {
    const lost = failed + unknown === 0 ? '' : `, ${failed} failed, ${unknown} unknown`;
    cli.screen.line(`Applied: ${applied} written${lost}.`);
  }
  for (const { key, error } of failures) cli.screen.warn(`scopemesh: ${key}: ${error}`);
  if (publishing !== undefined)
    cli.screen.warn(`scopemesh: the decisions are stored but not published yet: ${publishing}`);
  if (failures.length > 0 || publishing !== undefined) cli.exit(FAILED);
  else if (isSomeHeld) cli.exit(SOME_HELD);
}

/** The holds of the store, which this command has opened. */
async function knownHolds({ journal, window }: OneShot['deps']): Promise<KnownHolds> {
  const { holds } = await journal.overview();
  return new Map(
    holds.map((hold) => [
      holdKey(hold),
      { ...hold, rejectedBy: rejecterOf(window.rejections.of(hold.subject)) },
    ]),
  );
}
