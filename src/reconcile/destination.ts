import type { IntentionEntry, ServiceName } from '../model/intention.js';
import { formatKey, type Key, providerKey } from '../model/key.js';
import type { Job } from '../model/trigger.js';
import { guardRevocations } from '../plan/guard.js';
import type { Change, Hold, Plan } from '../plan/plan.js';
import { planDestination, toHold } from '../plan/plan-destination.js';
import type { KeyRecord } from '../queue/journal.js';
import type { JobResult } from '../queue/queue.js';
import { aclBudget } from './acl/acl-budget.js';
import { applyChanges } from './apply.js';
import { applyRulings, forgetRulings } from './approvals.js';
import { causeOf, grantReasonOf } from './decide.js';
import type { ReconcilerDeps } from './deps.js';
import { budgetOf, inferredAcrossFleet, inputOf } from './fleet.js';
import { tellHolds } from './holds.js';
import { refreshStanding, releasedProviders, waitForJwtProviders } from './jwt-waiting.js';
import { settleLeftovers } from './leftovers.js';

type DestinationKey = Extract<Key, { kind: 'destination' }>;

/** After a lost compare-and-set the key is read and planned again at once, but not in a tight loop. */
const CONFLICT_RETRY_MS = 20;
/** Between looks whether a directory has been read completely: longer the longer it takes. */
const SOONEST_LOOK_MS = 500;
const LATEST_LOOK_MS = 10_000;

/** Makes one destination's entry equal to what the world says, and tells what is held. */
export async function reconcileDestination(
  key: DestinationKey,
  job: Job,
  deps: ReconcilerDeps,
  signal: AbortSignal,
): Promise<JobResult> {
  const destination: ServiceName = { partition: key.partition, namespace: key.namespace, name: key.service };
  const text = formatKey(key);
  const read = deps.world.beginRead();
  const [record, entry] = await Promise.all([
    deps.journal.read(text),
    deps.consul.intentions.read(destination, signal),
  ]);
  deps.world.putEntry(destination, entry, read);
  const lastWritten = await settleLeftovers(text, record, entry, deps);
  deps.world.rememberWritten(text, lastWritten);

  const { mapping } = deps.world;
  const informed: Job = { ...job, triggers: [...job.triggers, ...deps.queue.late()] };
  const { plan, used } = await planNow(
    destination,
    entry,
    informed,
    { ...record, lastWritten },
    deps,
    signal,
  );
  const cause = causeOf(informed);
  await tellHolds(text, record, [...plan.holds, ...used], cause, deps);
  const end = endOf(job, deps);
  if (deps.world.mapping.mode === 'observe') return end;

  const waits = await waitForJwtProviders(text, plan.awaits ?? [], informed, deps);
  const result = await applyChanges(
    { key: text, destination, entry, plan, mapping, cause, lastWritten },
    deps,
    signal,
  );
  if (result === 'done' && used.length > 0) {
    await forgetRulings(used, deps);
    await tellHolds(text, await deps.journal.read(text), plan.holds, cause, deps);
  }
  if (result === 'conflict') return { kind: 'retry', afterMs: CONFLICT_RETRY_MS };
  const released = releasedProviders(plan, deps.world.mapping);
  if (released.length > 0) await deps.queue.add(released.map((name) => ({ key: providerKey(name), cause })));
  return waits ?? end;
}

/**
 * A plan made before a directory was read completely keeps what is and makes no use of what the IdP told of it. The
 * job stays, or its evidence would be gone when that read shows the loss, and the mass guard would hold for an
 * inference what was told.
 */
function endOf(job: Job, deps: ReconcilerDeps): JobResult {
  const untold = job.triggers.filter(({ evidence }) =>
    evidence?.some(({ provider }) => deps.directories.has(provider) && !deps.world.hasDirectory(provider)),
  );
  const [oldest] = untold.map(({ cause }) => Date.parse(cause.receivedAt)).sort((a, b) => a - b);
  if (oldest === undefined) return { kind: 'done' };
  const waitedMs = deps.clock.now() - oldest;
  return { kind: 'retry', afterMs: Math.min(Math.max(waitedMs / 2, SOONEST_LOOK_MS), LATEST_LOOK_MS) };
}

async function planNow(
  destination: ServiceName,
  entry: IntentionEntry | undefined,
  job: Job,
  record: KeyRecord,
  deps: ReconcilerDeps,
  signal: AbortSignal,
): Promise<{ readonly plan: Plan; readonly used: readonly Hold[] }> {
  const { world, window, clock } = deps;
  const now = clock.now();
  const inputNow = () =>
    inputOf(world, destination, now, {
      evidence: job.triggers.flatMap((trigger) => trigger.evidence ?? []),
      grantReason: grantReasonOf(job),
      lastWritten: record.lastWritten,
    });
  const known = inputNow();
  const isRefreshed = await refreshStanding(planDestination({ ...known, entry }), deps, signal);
  const input = isRefreshed ? inputNow() : known;
  const first = planDestination({ ...input, entry });
  // What would take over from a source that goes must not be judged by a wildcard that a watch has yet to show.
  const unguarded = first.changes.some((change) => change.after === undefined)
    ? planDestination({ ...input, entry, wildcard: await readWildcard(destination, deps, signal) })
    : first;
  const { plan: ruled, used, rejections } = await applyRulings(unguarded, record.holds, deps);
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
