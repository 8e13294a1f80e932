import { recordHolds } from '../../apply/record-holds.js';
import type { SyncError } from '../../errors.js';
import type { AclSnapshot } from '../../model/acl.js';
import type { Cause } from '../../model/cause.js';
import { isLeftObjectsKey, leftObjectsKey } from '../../model/key.js';
import { guard } from '../../plan/guards/guards.js';
import { asPlanned } from '../../reconcile/as-planned.js';
import type { AclSweepDeps } from '../../reconcile/deps.js';
import { guardFacts } from '../../reconcile/guard-facts.js';
import { runSettled } from '../../reconcile/run-settled.js';
import { type AclApplication, applyAcl } from '../apply/apply-acl.js';
import { forgetGone, writersOfAcl } from '../apply/forget-removed.js';
import { recoverPendingAcl } from '../apply/recover-pending-acl.js';
import { isOfOneObject } from '../apply/refusals.js';
import type { DesiredAcl } from '../plan/login.js';
import { guardableUnlinked } from '../state/guard-left.js';
import { isStillUnlinked } from '../state/unlinked-policies.js';
import { type Left, type LeftEnd, removeOrphans } from './remove-orphans.js';

const isPolicy = (subject: string) => subject.startsWith('acl-policy/');

/**
 * Removes what no job of a client or provider removes: objects without a client, then policies that nothing links. It is
 * the only writer of the holds of its key. Resolves with how many there are. `isStale`: a plan changed before its write.
 * `refusals`: what Consul refused about single objects, which harms no other object. Throws any other failure at its end.
 */
export async function removeLeft(
  plans: readonly { readonly desired: DesiredAcl }[],
  cause: Cause,
  deps: AclSweepDeps,
  signal: AbortSignal,
): Promise<LeftEnd & { readonly refusals: readonly SyncError[] }> {
  const { acl, world, journal } = deps;
  const key = leftObjectsKey(world.mapping.owner);
  const failures: unknown[] = [];
  const attempt = async <T>(work: () => Promise<T>): Promise<T | undefined> => {
    const outcome = await runSettled(work);
    if (outcome.status === 'fulfilled') return outcome.value;
    signal.throwIfAborted();
    failures.push(outcome.reason);
    return undefined;
  };
  const writers = await writersOfAcl(deps);
  const snapshot = acl.cache.snapshot(acl.cache.owned.keys(), acl.cache.policies.keys());
  const record = await journal.read(key);
  const { holds, pendingKeys } = await journal.overview();
  const withState = new Set([...holds.map((hold) => hold.key), ...pendingKeys]);
  for (const each of withState)
    if (isLeftObjectsKey(each) && each !== key)
      await attempt(() => endOfOtherOwner(each, snapshot, cause, deps, signal));
  const recovered = await attempt(() => recoverPendingAcl(key, record, snapshot, deps, signal));
  const left: Left = { key, cause, lastApplied: recovered ?? record.lastApplied, attempt, writers };
  const first = await removeOrphans(left, holds, (subject) => !isPolicy(subject), deps, signal);
  const last = await removeUnlinked(plans, left, deps, signal);
  await attempt(() => forgetGone(writers, deps));
  if (first.isStale || last.isOutdated) deps.askForSweep();
  const refusals = failures.filter(isOfOneObject);
  if (refusals.length < failures.length) throw failures.find((error) => !isOfOneObject(error));
  return { holds: first.holds + last.holds, isStale: first.isStale || last.isStale, refusals };
}

/** Ends the drafts and holds of a key of an earlier owner: its objects are foreign now, and nothing else looks at the key. */
async function endOfOtherOwner(
  key: string,
  snapshot: AclSnapshot,
  cause: Cause,
  deps: AclSweepDeps,
  signal: AbortSignal,
): Promise<void> {
  await recoverPendingAcl(key, await deps.journal.read(key), snapshot, deps, signal);
  deps.window.rejections.put(key, new Map());
  await recordHolds(key, await deps.journal.read(key), [], cause, deps);
}

async function removeUnlinked(
  plans: readonly { readonly desired: DesiredAcl }[],
  { attempt, ...left }: Left,
  deps: AclSweepDeps,
  signal: AbortSignal,
): Promise<LeftEnd & { readonly isOutdated: boolean }> {
  const { key, cause } = left;
  const record = await deps.journal.read(key);
  const isPlanned = asPlanned(deps);
  const kind = guardableUnlinked(plans, deps);
  const { changes, holds } = guard(kind, await guardFacts([], record.holds, deps));
  await recordHolds(key, record, holds, cause, deps, isPolicy);
  const isAsPlanned: AclApplication['isAsPlanned'] = (change) =>
    isPlanned(change) && isStillUnlinked(change, deps);
  const isStale =
    (await attempt(() => applyAcl({ ...left, changes, isAsPlanned }, deps, signal))) === 'stale';
  // A policy that a job may link waits for the comparison in its turn: it grants nothing, and the job may run for long.
  return { holds: holds.length, isStale, isOutdated: isStale && !changes.every(isPlanned) };
}
