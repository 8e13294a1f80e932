import { type AclApplication, applyAcl } from '../../apply/acl/apply-acl.js';
import { recoverPendingAcl } from '../../apply/acl/recover-pending-acl.js';
import { recordHolds } from '../../apply/record-holds.js';
import type { Cause } from '../../model/cause.js';
import { leftObjectsKey } from '../../model/key.js';
import type { DesiredAcl } from '../../plan/acl/login.js';
import { guard } from '../../plan/guards/guards.js';
import { isApprovable } from '../../plan/holds.js';
import { guardableOrphans, guardableUnlinked } from '../../state/guard-left.js';
import { orphanedObjects } from '../../state/orphaned-acl.js';
import { isStillUnlinked } from '../../state/unlinked-policies.js';
import { asPlanned } from '../as-planned.js';
import type { AclSweepDeps } from '../deps.js';
import { guardFacts } from '../guard-facts.js';
import { applyCounted } from './apply-counted.js';

type Left = Pick<AclApplication, 'key' | 'cause' | 'lastApplied'>;
interface End {
  readonly holds: number;
  readonly isStale: boolean;
}

const isPolicy = (subject: string) => subject.startsWith('acl-policy/');

/**
 * Removes what no job of a client or provider removes: objects without a client, then policies that nothing links. It is
 * the only writer of the holds of its key. Resolves with how many there are. `isStale`: a plan changed before its write.
 */
export async function removeLeft(
  plans: readonly { readonly desired: DesiredAcl }[],
  cause: Cause,
  deps: AclSweepDeps,
  signal: AbortSignal,
): Promise<End> {
  const { acl, world, journal } = deps;
  const key = leftObjectsKey(world.mapping.owner);
  const snapshot = acl.cache.snapshot(acl.cache.owned.keys(), acl.cache.policies.keys());
  const lastApplied = await recoverPendingAcl(key, await journal.read(key), snapshot, deps, signal);
  const left = { key, cause, lastApplied };
  const first = await removeOrphans(left, deps, signal);
  const last = await removeUnlinked(plans, left, deps, signal);
  if (first.isStale || last.isOutdated) deps.askForSweep();
  return { holds: first.holds + last.holds, isStale: first.isStale || last.isStale };
}

async function removeOrphans(left: Left, deps: AclSweepDeps, signal: AbortSignal): Promise<End> {
  const { window, journal, clock } = deps;
  const { key, cause } = left;
  // What the job of a client holds stays with it, so that one ruling decides.
  const overview = orphanedObjects(deps)?.size ? await journal.overview() : { holds: [] };
  const others = overview.holds.filter((hold) => hold.key !== key && isApprovable(hold.reason));
  const isPlanned = asPlanned(deps);
  const kind = guardableOrphans(deps, new Set(others.map(({ subject }) => subject)));
  // It is unknown whether the holds go on, and a ruling belongs to its hold: both stay.
  if (kind === undefined) return { holds: 0, isStale: false };
  const record = await journal.read(key);
  const guarded = guard(kind, await guardFacts(kind.losses, record.holds, deps));
  const { changes, counted, holds, used } = guarded;
  window.rejections.put(key, guarded.rejections);
  const concerns = (subject: string) => !isPolicy(subject);
  await recordHolds(key, record, [...holds, ...used], cause, deps, concerns);
  if (changes.length === 0) return { holds: holds.length, isStale: false };
  // All count at once, whatever becomes of them: while some are removed, no plan of the fleet has those any more.
  for (const subject of counted) {
    window.reserveEdge(subject, clock.now());
    window.confirmEdge(subject);
  }
  if (counted.length > 0) await window.store(deps.keyValues);
  // The client of one may be read meanwhile.
  const isAsPlanned: AclApplication['isAsPlanned'] = (change) => isPlanned(change) && kind.isStill(change);
  const application = { ...left, changes, isAsPlanned };
  const end = await applyCounted(application, { ...guarded, counted: [] }, concerns, deps, signal);
  return { holds: holds.length, isStale: end === 'stale' };
}

async function removeUnlinked(
  plans: readonly { readonly desired: DesiredAcl }[],
  left: Left,
  deps: AclSweepDeps,
  signal: AbortSignal,
): Promise<End & { readonly isOutdated: boolean }> {
  const { key, cause } = left;
  const record = await deps.journal.read(key);
  const isPlanned = asPlanned(deps);
  const kind = guardableUnlinked(plans, deps);
  const { changes, holds } = guard(kind, await guardFacts([], record.holds, deps));
  await recordHolds(key, record, holds, cause, deps, isPolicy);
  const isAsPlanned: AclApplication['isAsPlanned'] = (change) =>
    isPlanned(change) && isStillUnlinked(change, deps);
  const isStale = (await applyAcl({ ...left, changes, isAsPlanned }, deps, signal)) === 'stale';
  // A policy that a job may link waits for the comparison in its turn: it grants nothing, and the job may run for long.
  return { holds: holds.length, isStale, isOutdated: isStale && !changes.every(isPlanned) };
}
