import { grantReasonOf } from '../apply/decision-drafts.js';
import type { IntentionEntry, ServiceName } from '../model/intention.js';
import { formatKey } from '../model/key.js';
import type { Job } from '../model/trigger.js';
import type { DestinationInput } from '../plan/destination-input.js';
import { guardRevocations } from '../plan/guard.js';
import type { Change, Hold, Plan } from '../plan/plan.js';
import { planDestination, toHold } from '../plan/plan-destination.js';
import { clientText } from '../plan/world.js';
import type { KeyRecord } from '../queue/journal.js';
import { aclBudget } from './acl/acl-budget.js';
import { applyRulings } from './approvals.js';
import type { ReconcilerDeps } from './deps.js';
import { budgetOf, inferredAcrossFleet, inputOf } from './fleet.js';
import { refreshStanding } from './jwt-waiting.js';

/** What a destination is planned from now, with what the job's triggers know. */
export function inputFor(
  destination: ServiceName,
  job: Job,
  lastWritten: ReadonlyMap<string, string>,
  { world, clock }: Pick<ReconcilerDeps, 'world' | 'clock'>,
): DestinationInput {
  return inputOf(world, destination, clock.now(), {
    evidence: job.triggers.flatMap((trigger) => trigger.evidence ?? []),
    grantReason: grantReasonOf(job),
    lastWritten,
  });
}

/** The plan of one destination as it may be carried out now, and the holds that an approval lifts. */
export async function planGuarded(
  destination: ServiceName,
  entry: IntentionEntry | undefined,
  job: Job,
  record: KeyRecord,
  deps: ReconcilerDeps,
  signal: AbortSignal,
): Promise<{ readonly plan: Plan; readonly used: readonly Hold[] }> {
  const { world, window, clock } = deps;
  const now = clock.now();
  const inputNow = () => inputFor(destination, job, record.lastWritten, deps);
  const known = inputNow();
  const isRefreshed = await refreshStanding(planDestination({ ...known, entry }), deps, signal);
  const input = isRefreshed ? inputNow() : known;
  const first = planDestination({ ...input, entry });
  // What would take over from a source that goes must not be judged by a wildcard that a watch has yet to show.
  const unguarded = first.changes.some((change) => change.after === undefined)
    ? planDestination({ ...input, entry, wildcard: await readWildcard(destination, deps, signal) })
    : first;
  const {
    plan: ruled,
    used,
    rejections,
  } = await applyRulings(withoutOpening(unguarded, deps), record.holds, deps);
  window.rejections.put(formatKey(unguarded.key), rejections);
  const guarded = ruled.changes.some((change) => change.isInferred)
    ? guardRevocations(
        ruled,
        budgetOf(world, window, now, inferredAcrossFleet(world, window, now), aclBudget(deps, now)),
        world.mapping,
      )
    : ruled;
  const plan = holdContended(guarded, deps);
  return { plan: world.mapping.mode === 'observe' ? observe(plan) : plan, used };
}

/** What is gained opens last: its client's job writes the ACL objects and then sends for it. */
function withoutOpening(plan: Plan, { acl }: Pick<ReconcilerDeps, 'acl'>): Plan {
  if (acl.opening.size === 0) return plan;
  const waits = ({ widens, narrows, client }: Change) =>
    widens && !narrows && client !== undefined && acl.opening.has(clientText(client));
  return { ...plan, changes: plan.changes.filter((change) => !waits(change)) };
}

/** Not put into the world: whoever watches must still see that it changed, for all destinations. */
function readWildcard(
  destination: ServiceName,
  deps: ReconcilerDeps,
  signal: AbortSignal,
): Promise<IntentionEntry | undefined> {
  return deps.consul.intentions.read({ ...destination, name: '*' }, signal);
}

/** Somebody undoes this again and again: say so instead of fighting. */
function holdContended(plan: Plan, deps: ReconcilerDeps): Plan {
  const now = deps.clock.now();
  const isContended = (change: Change) =>
    change.reason === 'DriftCorrected' && deps.contention.isContended(change.subject, now);
  const contended = plan.changes.filter(isContended);
  if (contended.length === 0) return plan;
  const detail =
    'somebody undoes this again and again; find out who writes this entry (consul-k8s, Terraform, a script) and keep one writer';
  return {
    ...plan,
    changes: plan.changes.filter((change) => !isContended(change)),
    holds: [...plan.holds, ...contended.map((change) => toHold(change, 'Contended', detail))],
  };
}

function observe(plan: Plan): Plan {
  const detail = 'mode is observe: nothing is written';
  return {
    ...plan,
    changes: [],
    holds: [...plan.holds, ...plan.changes.map((change) => toHold(change, 'ModeForbids', detail))],
  };
}
