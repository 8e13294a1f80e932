import { isAclSubject } from '../../apply/acl/acl-draft.js';
import { isAclActive } from '../../apply/acl/acl-state.js';
import { applyAcl } from '../../apply/acl/apply-acl.js';
import { fetchesKeys } from '../../apply/acl/key-fetches.js';
import { tolerateDenied } from '../../apply/acl/tolerate-denied.js';
import { causeOf, grantReasonOf } from '../../apply/decision-drafts.js';
import { messageOf, SyncError } from '../../errors.js';
import { clientKey, formatKey } from '../../model/key.js';
import type { Evidence, Job } from '../../model/trigger.js';
import type { AclChange } from '../../plan/acl/acl-change.js';
import { guard } from '../../plan/guards/guards.js';
import type { ClientId } from '../../plan/world.js';
import type { JobResult } from '../../queue/queue.js';
import { losesByInference, planClientAcl, planHeldLoss, scopesKey } from '../../state/plan-client-acl.js';
import { forgetRulings } from '../approvals.js';
import type { ReconcilerDeps } from '../deps.js';
import { evidenceOf } from '../fan-out.js';
import { guardFacts } from '../guard-facts.js';
import { recordHolds } from '../holds.js';
import { readAllAcl } from './fleet-acl.js';
import { guardableClient } from './guard-acl.js';
import { isListed, readSettled } from './read-client-acl.js';

/** Between looks at what became of a write that was given up. */
const ABANDONED_RETRY_MS = 5_000;
/** Between looks whether a directory has been read completely. */
const UNREAD_RETRY_MS = 2_000;

const DONE: JobResult = { kind: 'done' };

/**
 * Makes one client's ACL objects equal to what the world says, and tells what is held. Where nothing of Consul's ACL is
 * wanted and nothing was ever written, no request is made. Where something was, what is left of it is cleaned up as
 * far as the ACL token may. `evidence` is what the job's triggers know of removals, with the client by its client id.
 * A write for which Consul waits for the identity provider's keys is given up, and may be carried out later: the key
 * comes back to see what stands.
 */
export async function reconcileClientAcl(
  id: ClientId,
  job: Job,
  deps: ReconcilerDeps,
  signal: AbortSignal,
  evidence: readonly Evidence[] = evidenceOf(job),
): Promise<JobResult> {
  if (!isAclActive(deps)) {
    await endHolds(id, job, deps);
    return DONE;
  }
  const key = formatKey(clientKey(id.provider, id.clientId));
  const work = () => deps.acl.whileUnderWay(key, () => reconcile(id, job, evidence, deps, signal));
  return (await tolerateDenied(work, deps)) ?? DONE;
}

/** What was held of ACL objects that nobody wants any more. */
async function endHolds(id: ClientId, job: Job, deps: ReconcilerDeps): Promise<void> {
  const key = formatKey(clientKey(id.provider, id.clientId));
  const record = await deps.journal.read(key);
  const isHeld = [...record.holds.values()].some(({ subject }) => isAclSubject(subject));
  if (isHeld) await recordHolds(key, record, [], causeOf(job), deps, isAclSubject);
}

async function reconcile(
  id: ClientId,
  job: Job,
  evidence: readonly Evidence[],
  deps: ReconcilerDeps,
  signal: AbortSignal,
): Promise<JobResult> {
  const { world, journal, acl, clock } = deps;
  const { mapping } = world;
  const key = formatKey(clientKey(id.provider, id.clientId));
  const record = await journal.read(key);
  const { actual, lastApplied } = await readSettled(id, key, record, isListed(job, deps), deps, signal);

  const now = clock.now();
  const keyValues = {
    actual,
    lastApplied,
    evidence,
    grantReason: grantReasonOf(job),
  };
  const { mode } = mapping;
  const asked = { ...keyValues, mode: mode === 'observe' ? 'enforce' : mode } as const;
  const plan = planClientAcl(id, asked, deps, now);
  if (plan.isUnknown) {
    // Nothing follows yet, and what was told of the client must be there when something does.
    const isAwaited = keyValues.evidence.length > 0 && !world.hasDirectory(id.provider);
    return isAwaited ? { kind: 'retry', afterMs: UNREAD_RETRY_MS } : DONE;
  }
  const rest = () => planHeldLoss(id, asked, deps, now);
  // What the fleet loses is counted from everything that stands.
  if (losesByInference(plan.changes) && !acl.cache.isComplete) await readAllAcl(deps, signal);
  const kind = guardableClient(plan, rest);
  const guarded = guard(kind, await guardFacts(kind.losses, record.holds, deps));
  deps.window.rejections.put(key, guarded.rejections);
  const cause = causeOf(job);
  const tell = async (holds: typeof guarded.holds, of = record) =>
    recordHolds(key, of, holds, cause, deps, isAclSubject);
  await tell([...guarded.holds, ...guarded.used]);
  if (guarded.changes.length === 0) return DONE;

  const isCounted = losesByInference(guarded.changes);
  if (isCounted) {
    deps.window.reserveEdge(plan.subject, now);
    await deps.window.store(deps.keyValues);
  }
  const remember = new Map([[scopesKey(plan.subject), JSON.stringify(guarded.plan.opensBy)]]);
  const applying = applyAcl(
    {
      key,
      changes: guarded.changes,
      cause,
      lastApplied,
      remember,
      narrowed: (isMade) => {
        if (!isCounted) return;
        if (isMade) deps.window.confirmEdge(plan.subject);
        else deps.window.releaseEdge(plan.subject);
      },
    },
    deps,
    signal,
  );
  const isGivenUp = await applying.then(
    () => false,
    (error: unknown) => {
      if (!isAbandoned(error, guarded.changes) || signal.aborted) throw error;
      deps.logger.warn({ ...id, error: messageOf(error) }, 'a write of ACL objects is given up for now');
      return true;
    },
  );
  if (isGivenUp) return { kind: 'retry', afterMs: ABANDONED_RETRY_MS };
  world.rememberWritten(key, (await journal.read(key)).lastApplied);
  if (guarded.used.length > 0) {
    await forgetRulings(guarded.used, deps);
    await tell(guarded.holds, await journal.read(key));
  }
  return DONE;
}

/** Whether Consul may have been waiting for the identity provider's keys, and not itself have been away. */
function isAbandoned(error: unknown, changes: readonly AclChange[]): boolean {
  const asksForKeys = changes.some(({ step }) => step.do === 'write' && fetchesKeys(step.object));
  return error instanceof SyncError && error.code === 'ERR_TIMEOUT' && asksForKeys;
}
