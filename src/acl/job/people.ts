import { causeOf, grantReasonOf } from '../../apply/decision-drafts.js';
import { recordHolds } from '../../apply/record-holds.js';
import { SyncError } from '../../errors.js';
import { formatKey, type Key } from '../../model/key.js';
import type { Job, Trigger } from '../../model/trigger.js';
import { evidenceOf } from '../../plan/evidence.js';
import { guard } from '../../plan/guards/guards.js';
import { holdKey } from '../../plan/holds.js';
import type { JobResult } from '../../queue/queue.js';
import { pendingPolicies } from '../../read/read-acl.js';
import { readPeople } from '../../read/read-people.js';
import { asPlanned } from '../../reconcile/as-planned.js';
import type { PeopleDeps } from '../../reconcile/deps.js';
import { guardFacts } from '../../reconcile/guard-facts.js';
import { isAclSubject } from '../apply/acl-draft.js';
import { isAclActive } from '../apply/acl-state.js';
import { recoverPendingAcl } from '../apply/recover-pending-acl.js';
import { tolerateDenied } from '../apply/tolerate-denied.js';
import { guardablePeople } from '../state/guard-people.js';
import { factsOfPeople, knownMembers, reasonOfPeople } from '../state/people-acl.js';
import { applyCounted } from './apply-counted.js';
import { refreshMembers } from './read-members.js';
import { removeUnlinked } from './remove-unlinked.js';
import { isSessionSubject } from './sessions.js';

/** The most grants of one run, so that a revocation does not wait for more. */
const MAX_GRANTS = 200;
/** Before the next run after a write without an answer. */
const ABANDONED_RETRY_MS = 5_000;

type ProviderKey = Extract<Key, { kind: 'provider' }>;

/**
 * Makes the ACL objects of a provider's people equal to the members of the mapped groups. It reads the members if they may
 * have changed, and never the rest of the directory. After a failed read only removals by the configuration are made, and
 * the members are read again. Further grants and retries are jobs without the complete comparison that this job may be.
 * `mostGrants`: for a caller without a next run.
 */
export async function reconcilePeople(
  key: ProviderKey,
  job: Job,
  deps: PeopleDeps,
  signal: AbortSignal,
  mostGrants = MAX_GRANTS,
): Promise<JobResult> {
  if (!isAclActive(deps)) return { kind: 'done' };
  // Without its evidence a named removal would be an inferred one, which the mass guard may hold.
  const again = (trigger: Partial<Trigger> = {}) =>
    deps.queue.add([{ key, cause: causeOf(job), evidence: evidenceOf(job), ...trigger }]);
  const isComparison = job.triggers.some(({ fullRead }) => fullRead === true);
  const { failure } = await refreshMembers(key.name, job, deps, signal);
  try {
    const work = () => reconcile(key, job, deps, signal, mostGrants);
    if (await tolerateDenied(() => deps.acl.whileUnderWay(formatKey(key), work), deps)) await again();
  } catch (error) {
    if (!(error instanceof SyncError) || error.code !== 'ERR_TIMEOUT' || signal.aborted) throw error;
    deps.logger.warn(
      { provider: key.name, error: error.message },
      "a write of people's ACL objects has no answer yet; it is tried again",
    );
    if (!isComparison) return { kind: 'retry', afterMs: ABANDONED_RETRY_MS };
    await again();
  }
  if (failure === undefined) return { kind: 'done' };
  if (!isComparison) throw failure;
  await again({ members: true });
  return { kind: 'done' };
}

/** True if changes are left for the next run: further grants, or a plan that is no longer right. */
async function reconcile(
  key: ProviderKey,
  job: Job,
  deps: PeopleDeps,
  signal: AbortSignal,
  mostGrants: number,
): Promise<boolean> {
  const { world, journal } = deps;
  const text = formatKey(key);
  const whole = await journal.read(text);
  // An order settles its own drafts: it comes again with the job.
  const record = { ...whole, pending: whole.pending.filter(({ reason }) => reason !== 'SessionRevoked') };
  const actual = await readPeople(key.name, pendingPolicies(record), deps, signal);
  const lastApplied = await recoverPendingAcl(text, record, actual, deps, signal);
  world.rememberWritten(text, lastApplied);

  const read = {
    actual,
    lastApplied,
    evidence: evidenceOf(job),
    grantReason: reasonOfPeople(grantReasonOf(job)),
  };
  const isAsPlanned = asPlanned(deps, () => [knownMembers(key.name, deps)]);
  const kind = guardablePeople(factsOfPeople(key.name, deps, read), deps.acl);

  const guarded = guard(kind, await guardFacts(kind.losses, record.holds, deps, job.triggers));
  const { isUnknown } = kind.plan;
  if (!isUnknown) deps.window.rejections.put(text, guarded.rejections);

  const cause = causeOf(job);
  // A ruling belongs to its hold. If it is unknown whether the hold goes on, both stay.
  const isUndecided = (subject: string) =>
    isUnknown && record.holds.has(holdKey({ subject, reason: 'RevocationLimit' }));
  const concerns = (subject: string) =>
    isAclSubject(subject) && !isSessionSubject(subject, job, deps) && !isUndecided(subject);
  await recordHolds(text, record, [...guarded.holds, ...guarded.used], cause, deps, concerns);
  if (guarded.changes.length === 0) return false;

  const narrowing = guarded.changes.filter((change) => change.narrows || change.verb === 'deleted').length;
  const changes = guarded.changes.slice(0, narrowing + mostGrants);
  const application = { key: text, changes, cause, lastApplied, isAsPlanned };
  const end = await applyCounted(application, guarded, concerns, deps, signal);
  if (end === 'made') await removeUnlinked(actual, changes, { key: text, cause, lastApplied }, deps, signal);
  return end === 'stale' || changes.length < guarded.changes.length;
}
