import type { Command } from 'commander';
import { systemClock } from '../../clock.js';
import { isApprovable } from '../../plan/holds.js';
import { planAclFleet } from '../../reconcile/acl/plan-fleet-acl.js';
import { isAnythingToDo, planEverything } from '../../reconcile/fleet-plan.js';
import type { Cli } from '../cli.js';
import { withBothSides } from '../load-current-state.js';
import { planDocument } from '../plan-view.js';
import { readKnownHolds } from '../recorded-holds.js';
import { printPlan } from '../terminal/plan-text.js';
import { learnUnrecorded } from '../unrecorded-edges.js';

/** With `--detailed-exitcode`, as in terraform. */
const CHANGES_PENDING = 2;

export function addPlan(program: Command, cli: Cli): void {
  program
    .command('plan')
    .summary('show what would change in Consul, and why')
    .description(
      'Reads the identity providers and Consul completely and prints the changes and holds, each with its reason. ' +
        'Writes nothing, needs no state directory, and may run beside the daemon.',
    )
    .option('--json', 'print one JSON document: changes, holds and summary')
    .option('--detailed-exitcode', 'exit with 2 if changes are pending; holds do not count')
    .addHelpText(
      'after',
      `
Exit status: 0; with --detailed-exitcode 2 if changes are pending; 1 on error.

Examples:
  scopemesh plan
  scopemesh plan --detailed-exitcode || echo "Consul and the IdP differ"
  scopemesh plan --json | jq '.changes[] | select(.action == "revoke")'`,
    )
    .action(async (options: { readonly json?: true; readonly detailedExitcode?: true }) => {
      await withBothSides(cli, async (sides) => {
        const { config, world, window, acl, consul, daemon } = sides;
        const planAll = async () => {
          const aclPlan = await planAclFleet({ world, window, acl, clock: systemClock });
          return planEverything(world, window, systemClock.now(), aclPlan, consul.intentions);
        };
        let plan = await planAll();
        if (await learnUnrecorded(sides, plan.changes, cli)) plan = await planAll();
        const needsIds = options.json
          ? plan.holds.length > 0
          : plan.holds.some(({ reason }) => isApprovable(reason));
        const known = needsIds ? await readKnownHolds(config, daemon, cli) : new Map();
        if (options.json) cli.screen.json(planDocument(plan, world.mapping, known));
        else printPlan(plan, world.mapping, known, cli.screen);
        const isPending = isAnythingToDo(plan);
        if (options.detailedExitcode && isPending) cli.exit(CHANGES_PENDING);
      });
    });
}
