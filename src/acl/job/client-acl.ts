import { causeOf, grantReasonOf } from '../../apply/decision-drafts.js';
import { recordHolds } from '../../apply/record-holds.js';
import { messageOf } from '../../errors.js';
import { clientKey, formatKey, leftObjectsKey } from '../../model/key.js';
import type { Evidence, Job } from '../../model/trigger.js';
import { evidenceOf } from '../../plan/evidence.js';
import { guard } from '../../plan/guards/guards.js';
import { beforeWrite, isApprovable, openingReasons } from '../../plan/holds.js';
import { policyOf } from '../../plan/mode.js';
import { clientName } from '../../plan/object-names.js';
import type { ClientId } from '../../plan/world.js';
import type { KeyRecord } from '../../queue/journal.js';
import type { JobResult } from '../../queue/queue.js';
import { readAllAcl } from '../../read/read-acl.js';
import { asPlanned } from '../../reconcile/as-planned.js';
import type { ClientAclDeps } from '../../reconcile/deps.js';
import { guardFacts } from '../../reconcile/guard-facts.js';
import { isAclSubject } from '../apply/acl-draft.js';
import { isAclActive, needsAclObjects } from '../apply/acl-state.js';
import { isAbandoned } from '../apply/key-fetches.js';
import { tolerateDenied } from '../apply/tolerate-denied.js';
import { ownersOf } from '../state/acl-owners.js';
import { guardableClient } from '../state/guard-acl.js';
import { isStillOrphaned } from '../state/orphaned-acl.js';
import {
  type ClientAclPlan,
  hasInferredLoss,
  isOfUnreadDirectory,
  planClientAcl,
  planHeldLoss,
  scopesKey,
} from '../state/plan-client-acl.js';
import { applyCounted } from './apply-counted.js';
import { readSettled } from './read-client-acl.js';
import { removeUnlinked } from './remove-unlinked.js';

/** Before the next run after a write without an answer. */
const ABANDONED_RETRY_MS = 5_000;
/** Before a plan that is no longer right is made again. */
const STALE_RETRY_MS = 20;
/** Between checks whether a directory was read completely. */
const UNREAD_RETRY_MS = 2_000;

/** `isStale`: to be tried again at once, because the plan changed before its write. */
export type ClientAclResult = JobResult & { readonly isStale?: true };

const DONE: ClientAclResult = { kind: 'done' };
const retryAfter = (afterMs: number): ClientAclResult => ({ kind: 'retry', afterMs });

/**
 * Makes one client's ACL objects equal to the desired ones, and records the holds. If the mapping wants no ACL objects and
 * none was ever written, no request is made. If some were written, the rest is cleaned up as far as the ACL token permits.
 * `evidence`: of removals, with the client by its client ID. A write for which Consul waits for the identity provider's
 * keys gets no answer and may be made later, so the key runs again.
 */
export async function reconcileClientAcl(
  id: ClientId,
  job: Job,
  deps: ClientAclDeps,
  signal: AbortSignal,
  evidence: readonly Evidence[] = evidenceOf(job),
): Promise<ClientAclResult> {
  const key = formatKey(clientKey(id.provider, id.clientId));
  if (!isAclActive(deps)) {
    // The mapping no longer wants what they are about.
    await recordHolds(key, await deps.journal.read(key), [], causeOf(job), deps, isAclSubject);
    return DONE;
  }
  const name = clientName(deps.world.mapping.owner, id).toLowerCase();
  const alone = () => deps.acl.objectsMutex.run(name, () => reconcile(id, key, job, evidence, deps, signal));
  const work = () => deps.acl.whileUnderWay(key, alone);
  return (await tolerateDenied(work, deps)) ?? DONE;
}

async function reconcile(
  id: ClientId,
  key: string,
  job: Job,
  evidence: readonly Evidence[],
  deps: ClientAclDeps,
  signal: AbortSignal,
): Promise<ClientAclResult> {
  const { world, acl, window, clock } = deps;
  const record = await deps.journal.read(key);
  const { actual, lastApplied } = await readSettled(id, key, record, job, deps, signal);

  const now = clock.now();
  const { plansNarrowing } = policyOf(world.mapping);
  const held = [...openingReasons(record.holds.values()).values()];
  const wasQuarantined = held.includes('QuarantineEnded');
  const grantReason = wasQuarantined ? 'QuarantineEnded' : (held[0] ?? grantReasonOf(job));
  const facts = { actual, lastApplied, evidence, grantReason, plansNarrowing } as const;
  const plan = planClientAcl(id, facts, deps, now);
  const isAsPlanned = asPlanned(deps, () => [world.client(id), world.clientBlock(id)]);
  // Not everything is planned yet. The evidence must stay until it is.
  const isUnread = isOfUnreadDirectory(id, world);
  const end = isUnread && evidence.length > 0 ? retryAfter(UNREAD_RETRY_MS) : DONE;
  if (plan.isUnknown || (isUnread && plan.changes.length === 0)) return end;
  if (await isLeftToSweep(id, plan, record, deps)) {
    await recordHolds(key, record, [], causeOf(job), deps, isAclSubject);
    return end;
  }

  // The mass guard counts from all existing objects.
  if (hasInferredLoss(plan.changes) && !acl.cache.isComplete) await readAllAcl(deps, signal);
  const kind = guardableClient(plan, () => planHeldLoss(id, facts, deps, now));
  const guarded = guard(kind, await guardFacts(kind.losses, record.holds, deps, job.triggers));
  window.rejections.put(key, guarded.rejections);

  const cause = causeOf(job);
  // As long as other clients are unread, a plan does not show every cause of a hold. Rulings end holds all the same.
  const ruled = new Set(guarded.used.map(({ subject }) => subject));
  const mayEnd = (subject: string) => isAclSubject(subject) && (!isUnread || ruled.has(subject));
  const isMade = guarded.changes.length > 0;
  const planned = [...guarded.holds, ...guarded.used];
  const { early, isLate } = beforeWrite(planned, record.holds.values(), () => isMade);
  await recordHolds(key, record, early, cause, deps, (subject) => mayEnd(subject) && !isLate(subject));
  if (!isMade) return end;

  const remember = new Map([[scopesKey(plan.subject), JSON.stringify(guarded.plan.opensBy)]]);
  const application = { key, changes: guarded.changes, cause, lastApplied, remember, isAsPlanned };
  const after = await applyCounted(application, guarded, mayEnd, deps, signal).catch((error: unknown) => {
    if (!isAbandoned(error, guarded.changes) || signal.aborted) throw error;
    const fields = { ...id, error: messageOf(error) };
    deps.logger.warn(fields, 'a write of ACL objects has no answer yet; it is tried again');
  });
  if (after === undefined) return retryAfter(ABANDONED_RETRY_MS);
  if (after === 'made')
    await removeUnlinked(actual, guarded.changes, { key, cause, lastApplied }, deps, signal);
  return after === 'stale' ? { ...retryAfter(STALE_RETRY_MS), isStale: true } : end;
}

/**
 * Whether the complete comparison removes a client's objects, and not its job. No Description names the client and nobody
 * knows it, so the comparison finds the same objects, and one loss has one owner: two would hold and count it twice, and a
 * ruling on one hold would not bind the other. The job keeps what the identity provider itself reported, and what it holds.
 *
 * Asks for a comparison unless one has held the objects already, or the next one in its turn is enough.
 */
async function isLeftToSweep(
  id: ClientId,
  { subject, changes, holds }: ClientAclPlan,
  record: KeyRecord,
  deps: ClientAclDeps,
): Promise<boolean> {
  const { world, acl, journal } = deps;
  const { owner } = world.mapping;
  if (world.client(id) !== undefined || world.clientBlock(id) !== undefined) return false;
  ownersOf(deps);
  const name = clientName(owner, id).toLowerCase();
  if (!acl.owners.unnamed.has(name)) return false;
  if (changes.some(({ narrows, isInferred }) => narrows && !isInferred) || holdsLoss(record, subject))
    return false;
  const left = await journal.read(leftObjectsKey(owner));
  // It stays with the comparison also while another directory is unread.
  if (!holdsLoss(left, subject) && !isStillOrphaned(name, deps)) return false;
  const planned = new Set([subject, ...[...changes, ...holds].map((each) => each.subject)]);
  const isHeld = [...left.holds.values()].some((hold) => planned.has(hold.subject));
  // The comparison of objects that the mapping no longer wants tolerates a refusal, so each would lead to the next.
  if (!isHeld && needsAclObjects(world.mapping)) deps.askForSweep();
  return true;
}

function holdsLoss({ holds }: KeyRecord, subject: string): boolean {
  return [...holds.values()].some((hold) => hold.subject === subject && isApprovable(hold.reason));
}
