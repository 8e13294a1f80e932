import { causeOf, causesOf } from '../apply/decision-drafts.js';
import { recordGone } from '../apply/record-gone-edges.js';
import { recordHolds } from '../apply/record-holds.js';
import { type UnsentDrafts, withUnsentDrafts } from '../apply/unsent-drafts.js';
import { writePlan } from '../apply/write-plan.js';
import type { ServiceName } from '../model/intention.js';
import { formatKey, type Key, providerKey } from '../model/key.js';
import { type Job, withLateTriggers } from '../model/trigger.js';
import { step } from '../observe.js';
import { forgetRulings } from '../operator/approvals.js';
import { beforeWrite } from '../plan/holds.js';
import { policyOf } from '../plan/mode.js';
import type { Change } from '../plan/plan.js';
import type { JobResult } from '../queue/queue.js';
import { readEntry, readEntryNow } from '../read/read-entry.js';
import { isPlannedNow, knownNow } from '../state/state-plan.js';
import type { DestinationDeps } from './deps.js';
import { planGuarded } from './guarded-plan.js';
import { askForJwtProviders, causesToKeep, releasedProviders } from './jwt-waiting.js';
import { readDestination, readWritten, storeNew } from './read-destination.js';
import { jobResult } from './unread-evidence.js';

type DestinationKey = Extract<Key, { kind: 'destination' }>;

/** While another writer wins, the key comes back at once, behind others. */
const CONFLICT_RETRY_MS = 20;
/** So often a newer plan may replace recorded drafts. After that only the narrowing changes are written, in any case. */
const MAX_PLANS = 2;

/** Makes one destination's entry equal to the desired state, and records the holds. */
export async function reconcileDestination(
  key: DestinationKey,
  job: Job,
  deps: DestinationDeps,
  signal: AbortSignal,
): Promise<JobResult> {
  return withUnsentDrafts(formatKey(key), deps.journal, (unsent) =>
    planAndWrite(key, job, unsent, deps, signal),
  );
}

async function planAndWrite(
  key: DestinationKey,
  job: Job,
  unsent: UnsentDrafts,
  deps: DestinationDeps,
  signal: AbortSignal,
): Promise<JobResult> {
  const destination: ServiceName = { partition: key.partition, namespace: key.namespace, name: key.service };
  const text = formatKey(key);
  const { world, clock, journal, queue, revocations, logger } = deps;
  const { record, entry, overtaken } = await readDestination(destination, text, deps, signal);
  const end = jobResult(job, deps);
  const jobNow = withLateTriggers(job, () => queue.late());
  const { narrowsOnly } = world;
  // A write that is still on its way may make an edge that is gone again.
  const seesGone = overtaken.length === 0 && !deps.space.isLow() && !narrowsOnly;
  let from = knownNow(world, destination, entry);
  for (let plans = 1; ; plans++) {
    const basis = {
      ...{ destination, from, seesGone, isFirst: plans === 1, job: jobNow },
      record: { ...record, lastApplied: world.records.of(text) },
    };
    const guarded = await step(deps, 'plan', {}, () => planGuarded(basis, deps, signal));
    if (guarded.waitMs !== undefined) return { kind: 'retry', afterMs: guarded.waitMs };
    const { plan, used } = guarded;
    revocations.plan(text, plan, clock.now());
    if (plan.records !== undefined) await storeNew(text, plan.records, deps);

    const cause = causeOf(guarded.job);
    const changing = new Set(plan.changes.map(({ subject }) => subject));
    const planned = [...plan.holds, ...used];
    const { early, isLate } = beforeWrite(planned, record.holds.values(), (subject) => changing.has(subject));
    const mayEnd = (subject: string) => !isLate(subject) && !narrowsOnly;
    await recordHolds(text, await journal.read(text), early, cause, deps, mayEnd, changing);
    await recordGone(text, guarded.gone, cause, deps);
    if (!policyOf(guarded.input.mapping).writes) return end;

    await askForJwtProviders(text, plan.awaits ?? [], guarded.job, deps);
    const isLast = plans > MAX_PLANS;
    const changes = isLast ? plan.changes.filter(({ widens }) => !widens) : plan.changes;
    const baseOf = async (part: readonly Change[], isLost: boolean) => {
      from = await (isLost ? readEntryNow(destination, deps, signal) : (guarded.reading ?? guarded.from));
      const isPlanned = (isLast && !isLost) || isPlannedNow(part, guarded, from, world, clock.now());
      return isPlanned ? { base: from.entry } : undefined;
    };
    const write = {
      ...{ key: text, destination, entry: guarded.from.entry, changes, replaced: unsent.ids, overtaken },
      baseOf,
    };
    const send = () => writePlan(write, causesOf(guarded.job), deps, signal);
    const written = await (changes.length === 0 ? send() : step(deps, 'write', {}, send));
    unsent.ids = written.kind === 'stale' ? written.replaced : [];
    // What became of a write whose answer was lost is for the next run, which reads the entry first.
    if (written.kind === 'stale' && !isLast && overtaken.length === 0) continue;
    if (written.kind !== 'done' || isLast) {
      if (written.kind === 'conflict')
        logger.warn(
          { key: text },
          'another writer keeps changing the intentions of this destination; find it and stop it',
        );
      // The next run may plan from the known entry, which must not be the one that lost the compare-and-set.
      await readEntry(destination, deps, signal);
      return { kind: 'retry', afterMs: CONFLICT_RETRY_MS };
    }

    revocations.plan(text, { changes: [], holds: plan.holds }, clock.now());
    if (used.length > 0 || plan.changes.some(({ subject }) => isLate(subject))) {
      await forgetRulings(used, deps);
      // Each hold that an approval ends is of a change.
      await recordHolds(text, await journal.read(text), plan.holds, cause, deps, undefined, changing);
    }
    const released = releasedProviders(plan, guarded.input.mapping);
    if (released.length > 0) await queue.add(released.map((name) => ({ key: providerKey(name), cause })));
    if (plan.awaits !== undefined) queue.note(causesToKeep(guarded.job));
    if (changes.length > 0) readWritten(destination, deps, signal);
    return end;
  }
}
