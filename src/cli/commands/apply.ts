import { messageOf } from '../../errors.js';
import { rejecterOf } from '../../plan/guards/approval.js';
import { holdKey } from '../../plan/holds.js';
import { policyOf } from '../../plan/mode.js';
import { type FleetPlan, isAnythingToDo } from '../../reconcile/fleet-plan.js';
import { applyOnce, type Failure } from '../apply-once.js';
import type { Cli } from '../cli.js';
import type { DocumentedCommand } from '../documented-command.js';
import { manifestNotes, manifestTexts } from '../manifest-notes.js';
import { type OneShot, withOneShot } from '../one-shot.js';
import { planSides } from '../plan-sides.js';
import { planDocument } from '../plan-view.js';
import type { KnownHolds } from '../recorded-holds.js';
import { confirm } from '../terminal/confirm.js';
import { printPlan } from '../terminal/plan-text.js';
import { withProgress } from '../terminal/progress.js';
import { printable } from '../terminal/screen.js';

const FAILED = 1;
const SOME_HELD = 3;

interface Options {
  readonly json?: true;
  readonly yes?: true;
}

export function addApply(program: DocumentedCommand, cli: Cli): void {
  program
    .command('apply')
    .summary('make Consul match the identity provider once, after asking')
    .description(
      'Plans, asks, and applies the plan once, as the daemon would. Each write has a decision that is recorded before ' +
        'it and settled after it, and names you as the principal.',
    )
    .option('-y, --yes', 'do not ask')
    .option('--json', 'print one JSON document; needs --yes if there is something to write')
    .endHelp(`
Exit status: 0; 3 if some changes are held (in observe, all); 1 on error or if you answer no.

Examples:
  scopemesh apply
  scopemesh apply --yes --json | jq .summary`)
    .action((options: Options) =>
      withOneShot(
        cli,
        'the daemon is running and applies changes itself; scopemesh plan shows what is pending',
        (shot) => apply(shot, options, cli),
      ),
    );
}

async function apply(shot: OneShot, options: Options, cli: Cli): Promise<void> {
  const { deps, cause } = shot;
  const planAll = () => planSides(deps, deps.clock);
  const first = await planAll();
  const forbidden = await planForbidden(shot);
  if (!options.json) await show(forbidden ?? first, deps, cli);
  const plan = options.yes ? first : await confirmed(first, planAll, shot, cli);
  if (plan === undefined) {
    cli.screen.warn('Nothing was applied.');
    cli.exit(FAILED);
    return;
  }
  let progress = { done: 0, all: 0 };
  const failures = await withProgress(
    cli.context.stderr,
    () => `applying ${progress.done} of ${progress.all}`,
    () =>
      applyOnce(
        plan,
        cause,
        deps,
        shot.writes,
        (done, all) => {
          progress = { done, all };
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
  report(shown, after.holds.length > 0, await knownHolds(deps), failures, publishing, shot, options, cli);
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

async function show(plan: FleetPlan, deps: OneShot['deps'], cli: Cli): Promise<void> {
  printPlan(plan, deps.world.mapping, await knownHolds(deps), cli.screen);
  for (const text of manifestTexts(await manifestNotes(plan, deps.consul, cli.signal)))
    cli.screen.line(printable(text));
}

/** The plan that a person confirmed and that has not changed since; undefined for a no. */
async function confirmed(
  asked: FleetPlan,
  planAll: () => Promise<FleetPlan>,
  { reread, deps }: OneShot,
  cli: Cli,
): Promise<FleetPlan | undefined> {
  const { mapping } = deps.world;
  const textOf = (plan: FleetPlan) => JSON.stringify(planDocument(plan, mapping));
  let plan = asked;
  while (isAnythingToDo(plan)) {
    if (!(await confirm(cli, 'Apply these changes?'))) return undefined;
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
      errors: [
        ...failures.map(({ key, error }) => ({ key, message: error })),
        ...(publishing === undefined ? [] : [{ key: 'decisions', message: publishing }]),
      ],
    });
  } else if (applied + failed + unknown > 0) {
    const lost = failed + unknown === 0 ? '' : `, ${failed} failed, ${unknown} unknown`;
    cli.screen.line(`Applied: ${applied} written${lost}.`);
  }
  for (const { key, error } of failures) cli.screen.warn(printable(`scopemesh: ${key}: ${error}`));
  if (publishing !== undefined)
    cli.screen.warn(printable(`scopemesh: the decisions are stored but not published yet: ${publishing}`));
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
