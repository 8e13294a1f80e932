import { causeOf, causesOf } from '../apply/decision-drafts.js';
import { storeRecords } from '../apply/edge-records.js';
import { recordGone } from '../apply/gone-edges.js';
import { recordHolds } from '../apply/record-holds.js';
import { recoverPending } from '../apply/recover-pending.js';
import { writePlan } from '../apply/write-plan.js';
import type { IntentionEntry, ServiceName } from '../model/intention.js';
import { formatKey, type Key, providerKey } from '../model/key.js';
import type { Job } from '../model/trigger.js';
import { forgetRulings } from '../operator/approvals.js';
import { goneEdges } from '../plan/gone-edges.js';
import { quarantinedIn } from '../plan/holds.js';
import { policyOf } from '../plan/mode.js';
import type { Change, Hold } from '../plan/plan.js';
import { planDestination } from '../plan/plan-destination.js';
import { isStillPlanned } from '../plan/still-planned.js';
import { serviceText } from '../plan/world.js';
import type { KeyRecord } from '../queue/journal.js';
import type { JobResult } from '../queue/queue.js';
import type { ReconcilerDeps } from './deps.js';
import { inputFor, planGuarded } from './guarded-plan.js';
import { releasedProviders, waitForJwtProviders } from './jwt-waiting.js';
import { jobResult } from './unread-evidence.js';

type DestinationKey = Extract<Key, { kind: 'destination' }>;

/** After a lost compare-and-set the key is read and planned again at once, but not in a tight loop. */
const CONFLICT_RETRY_MS = 20;
/** So often a newer plan may replace recorded drafts. After that the narrowing changes are written in any case. */
const MOST_PLANS = 2;

/** Makes one destination's entry equal to the desired state, and records the holds. */
export async function reconcileDestination(
  key: DestinationKey,
  job: Job,
  deps: ReconcilerDeps,
  signal: AbortSignal,
): Promise<JobResult> {
  const destination: ServiceName = { partition: key.partition, namespace: key.namespace, name: key.service };
  const text = formatKey(key);
  const { world } = deps;
  const record = await deps.journal.read(text);
  const remember = (records: ReadonlyMap<string, string>) => {
    const before = world.records.of(text);
    if ([...records].some(([subject, written]) => before.get(subject) !== written))
      world.rememberWritten(text, new Map([...before, ...records]));
  };
  let isFresh = needsRead(destination, record, deps);
  let entry = isFresh
    ? await readEntry(destination, deps, signal)
    : world.entries.get(serviceText(destination));
  const recovered = await recoverPending(text, record, entry, deps);
  const { open: overtaken } = recovered;
  // The memory may have records that are not stored yet.
  remember(recovered.lastApplied);
  await storeRecords(text, deps);
  const end = jobResult(job, deps);
  let replaced: readonly string[] = [];
  let triggers = job.triggers;
  for (let plans = 1; ; plans++) {
    // A plan must know the cause of every change that it sees.
    triggers = [...triggers, ...deps.queue.late()];
    const informed: Job = { ...job, triggers: triggers };
    const { mapping } = world;
    const isFrozen = () => world.freezes.at(deps.clock.now()) !== undefined;
    const wasFrozen = isFrozen();
    const facts = factsOf(destination, deps);
    const known = { ...record, lastApplied: world.records.of(text) };
    const { plan, used } = await planGuarded(destination, entry, informed, known, deps, signal);
    deps.revocations.plan(text, plan, deps.clock.now());
    if (plan.records !== undefined) {
      remember(plan.records);
      await storeRecords(text, deps);
    }
    // A write that is still on its way may make such an edge again.
    const gone =
      overtaken.length > 0 || deps.space.isLow()
        ? []
        : goneEdges({ ...inputFor(destination, informed, known, deps), entry });
    // A removal needs a fresh entry: a source that the watch has not shown yet could take effect instead.
    if (!isFresh && (gone.length > 0 || plan.changes.some(({ after }) => after === undefined))) {
      entry = await readEntry(destination, deps, signal);
      isFresh = true;
      continue;
    }
    const cause = causeOf(informed);
    const changing = new Set(plan.changes.map(({ subject }) => subject));
    const quarantined = quarantinedIn([...known.holds.values(), ...plan.holds]);
    const isLate = ({ subject }: Pick<Hold, 'subject'>) => changing.has(subject) && quarantined.has(subject);
    const early = [...plan.holds, ...used].filter((hold) => !isLate(hold));
    await recordHolds(
      text,
      await deps.journal.read(text),
      early,
      cause,
      deps,
      (of) => !isLate({ subject: of }),
      changing,
    );
    await recordGone(text, gone, cause, deps);
    if (!policyOf(mapping).writes) return end;
    const waits = await waitForJwtProviders(text, plan.awaits ?? [], informed, deps);
    const isLast = plans > MOST_PLANS;
    const changes = isLast ? plan.changes.filter(({ widens }) => !widens) : plan.changes;
    const isAsPlanned = (part: readonly Change[]) => {
      if (world.mapping !== mapping || isFrozen() !== wasFrozen) return isLast;
      if (isLast || factsOf(destination, deps).every((each, at) => each === facts[at])) return true;
      const recorded = { ...known, lastApplied: world.records.of(text) };
      const input = inputFor(destination, informed, recorded, deps);
      return isStillPlanned(part, plan, planDestination({ ...input, entry }));
    };
    const write = { key: text, destination, entry, changes, replaced, overtaken, isAsPlanned };
    const written = await writePlan(write, causesOf(informed), deps, signal);
    if (written.kind === 'stale') {
      replaced = written.replaced;
      continue;
    }
    if (written.kind === 'again' || isLast) {
      // The next run may plan from the known entry, which must not be the one that lost the compare-and-set.
      await readEntry(destination, deps, signal);
      return { kind: 'retry', afterMs: CONFLICT_RETRY_MS };
    }
    deps.revocations.plan(text, { changes: [], holds: plan.holds }, deps.clock.now());
    // A quarantine closes an edge before it holds it. When it ends, the recorded hold gives the reason of the opening.
    if (used.length > 0 || plan.changes.some(isLate)) {
      await forgetRulings(used, deps);
      const decided = new Set([...changing, ...used.map(({ subject }) => subject)]);
      const after = await deps.journal.read(text);
      await recordHolds(text, after, plan.holds, cause, deps, undefined, decided);
    }
    const released = releasedProviders(plan, mapping);
    if (released.length > 0)
      await deps.queue.add(released.map((name) => ({ key: providerKey(name), cause })));
    return waits ?? end;
  }
}

/**
 * Whether the entry is read before the plan. The watch keeps the known entry current, and compare-and-set finds later
 * changes. After a write of our own the index is unknown until the watch shows it.
 */
function needsRead(destination: ServiceName, { pending }: KeyRecord, { world }: ReconcilerDeps): boolean {
  const known = world.entries.get(serviceText(destination));
  return pending.length > 0 || known?.modifyIndex === 0 || !world.hasEntries;
}

/** The facts of a plan beside the entry: the same objects until one of them changes. */
function factsOf(destination: ServiceName, { world }: ReconcilerDeps): readonly unknown[] {
  const wildcard = world.entries.get(serviceText({ ...destination, name: '*' }));
  return [world.claimsVersion, world.userTokens.facts, wildcard];
}

async function readEntry(
  destination: ServiceName,
  { world, consul }: ReconcilerDeps,
  signal: AbortSignal,
): Promise<IntentionEntry | undefined> {
  const read = world.beginRead();
  const entry = await consul.intentions.read(destination, signal);
  world.putEntry(destination, entry, read);
  return entry;
}
