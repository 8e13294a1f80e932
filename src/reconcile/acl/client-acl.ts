import { isAclSubject } from '../../apply/acl/acl-draft.js';
import { isAclActive } from '../../apply/acl/acl-state.js';
import { applyAcl } from '../../apply/acl/apply-acl.js';
import { fetchesKeys } from '../../apply/acl/key-fetches.js';
import { tolerateDenied } from '../../apply/acl/tolerate-denied.js';
import { causeOf, grantReasonOf } from '../../apply/decision-drafts.js';
import { recordHolds } from '../../apply/record-holds.js';
import { messageOf, SyncError } from '../../errors.js';
import { clientKey, formatKey } from '../../model/key.js';
import type { Evidence, Job } from '../../model/trigger.js';
import { forgetRulings } from '../../operator/approvals.js';
import { type AclChange, aclSubject } from '../../plan/acl/acl-change.js';
import { clientName } from '../../plan/acl/object-names.js';
import { guard } from '../../plan/guards/guards.js';
import { policyOf } from '../../plan/mode.js';
import type { Hold } from '../../plan/plan.js';
import type { ClientId } from '../../plan/world.js';
import type { JobResult } from '../../queue/queue.js';
import { readAllAcl } from '../../read/read-acl.js';
import { losesByInference, planClientAcl, planHeldLoss, scopesKey } from '../../state/plan-client-acl.js';
import { asPlanned } from '../as-planned.js';
import type { ReconcilerDeps } from '../deps.js';
import { evidenceOf } from '../fan-out.js';
import { guardFacts } from '../guard-facts.js';
import { guardableClient } from './guard-acl.js';
import { isListed, readSettled } from './read-client-acl.js';

/** Before the next run after a write without an answer. */
const ABANDONED_RETRY_MS = 5_000;
/** Before a plan that is no longer right is made again. */
const STALE_RETRY_MS = 20;
/** Between checks whether a directory was read completely. */
const UNREAD_RETRY_MS = 2_000;

const DONE: JobResult = { kind: 'done' };

/**
 * Makes one client's ACL objects equal to the desired ones, and records the holds. If the mapping wants no ACL objects and
 * none was ever written, no request is made. If some were written, the rest is cleaned up as far as the ACL token permits.
 * `evidence`: of removals, with the client by its client ID. A write for which Consul waits for the identity provider's
 * keys gets no answer and may be made later, so the key runs again.
 */
export async function reconcileClientAcl(
  id: ClientId,
  job: Job,
  deps: ReconcilerDeps,
  signal: AbortSignal,
  evidence: readonly Evidence[] = evidenceOf(job),
): Promise<JobResult> {
  const key = formatKey(clientKey(id.provider, id.clientId));
  if (!isAclActive(deps)) {
    await endHolds(key, job, deps);
    return DONE;
  }
  const work = () => deps.acl.whileUnderWay(key, () => reconcile(id, key, job, evidence, deps, signal));
  return (await tolerateDenied(work, deps)) ?? DONE;
}

/** Ends the holds of ACL objects that the mapping no longer wants. */
async function endHolds(key: string, job: Job, deps: ReconcilerDeps): Promise<void> {
  const record = await deps.journal.read(key);
  const isHeld = [...record.holds.values()].some(({ subject }) => isAclSubject(subject));
  if (isHeld) await recordHolds(key, record, [], causeOf(job), deps, isAclSubject);
}

async function reconcile(
  id: ClientId,
  key: string,
  job: Job,
  evidence: readonly Evidence[],
  deps: ReconcilerDeps,
  signal: AbortSignal,
): Promise<JobResult> {
  const { world, journal, acl, clock } = deps;
  const { mapping } = world;
  const record = await journal.read(key);
  const { actual, lastApplied } = await readSettled(id, key, record, isListed(job, deps), deps, signal);

  const methodSubject = aclSubject('acl-auth-method', clientName(mapping.owner, id));
  const now = clock.now();
  const { plansNarrowing } = policyOf(mapping);
  const wasHeld = [...record.holds.values()].some(isOfQuarantine);
  const grantReason = wasHeld ? 'QuarantineEnded' : grantReasonOf(job);
  const facts = { actual, lastApplied, evidence, grantReason, plansNarrowing } as const;
  const plan = planClientAcl(id, facts, deps, now);
  const isAsPlanned = asPlanned(deps, () => [world.client(id), world.clientBlock(id)]);
  // Not everything is planned yet. The evidence must stay until it is.
  const isUnread =
    mapping.providers.includes(id.provider) &&
    !world.hasDirectory(id.provider) &&
    world.clientBlock(id) === undefined;
  const end: JobResult = isUnread && evidence.length > 0 ? { kind: 'retry', afterMs: UNREAD_RETRY_MS } : DONE;
  if (plan.isUnknown || (isUnread && plan.changes.length === 0)) return end;
  const rest = () => planHeldLoss(id, facts, deps, now);
  // The mass guard counts from all existing objects.
  if (losesByInference(plan.changes) && !acl.cache.isComplete) await readAllAcl(deps, signal);
  const kind = guardableClient(plan, rest);
  const guarded = guard(kind, await guardFacts(kind.losses, record.holds, deps));
  deps.window.rejections.put(key, guarded.rejections);
  const cause = causeOf(job);
  // As long as other clients are unread, a plan does not show every cause of a hold. Rulings end holds all the same.
  const ruled = new Set(guarded.used.map(({ subject }) => subject));
  const mayEnd = (subject: string) => isAclSubject(subject) && (!isUnread || ruled.has(subject));
  const report = async (holds: typeof guarded.holds, of = record, concerns = mayEnd) =>
    recordHolds(key, of, holds, cause, deps, concerns);
  // A quarantine closes before it holds, and its recorded hold gives the reason of what opens when it ends.
  const isLate = guarded.changes.length > 0 && (wasHeld || guarded.holds.some(isOfQuarantine));
  const early = [...guarded.holds, ...guarded.used].filter((hold) => !isLate || !isOfQuarantine(hold));
  await report(early, record, (subject) => mayEnd(subject) && !(isLate && subject === methodSubject));
  if (guarded.changes.length === 0) return end;

  const isCounted = losesByInference(guarded.changes);
  if (isCounted) {
    deps.window.reserveEdge(plan.subject, clock.now());
    await deps.window.store(deps.keyValues);
  }
  const remember = new Map([[scopesKey(plan.subject), JSON.stringify(guarded.plan.opensBy)]]);
  const narrowed = (isMade: boolean) => {
    if (!isCounted) return;
    if (isMade) deps.window.confirmEdge(plan.subject);
    else deps.window.releaseEdge(plan.subject);
  };
  const { changes } = guarded;
  try {
    const application = { key, changes, cause, lastApplied, remember, narrowed, isAsPlanned };
    if ((await applyAcl(application, deps, signal)) === 'stale')
      return { kind: 'retry', afterMs: STALE_RETRY_MS };
  } catch (error) {
    if (!isAbandoned(error, changes) || signal.aborted) throw error;
    const fields = { ...id, error: messageOf(error) };
    deps.logger.warn(fields, 'a write of ACL objects has no answer yet; it is tried again');
    return { kind: 'retry', afterMs: ABANDONED_RETRY_MS };
  }
  world.rememberWritten(key, (await journal.read(key)).lastApplied);
  if (guarded.used.length > 0 || isLate) {
    await forgetRulings(guarded.used, deps);
    await report(guarded.holds, await journal.read(key));
  }
  return end;
}

function isOfQuarantine({ reason }: Pick<Hold, 'reason'>): boolean {
  return reason === 'ClientQuarantined';
}

/** Whether Consul may have waited for the identity provider's keys, and was not itself unreachable. */
function isAbandoned(error: unknown, changes: readonly AclChange[]): boolean {
  const asksForKeys = changes.some(({ step }) => step.do === 'write' && fetchesKeys(step.object));
  return error instanceof SyncError && error.code === 'ERR_TIMEOUT' && asksForKeys;
}
