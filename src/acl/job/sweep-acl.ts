import type { Cause } from '../../model/cause.js';
import { leftObjectsKey } from '../../model/key.js';
import { readAllAcl } from '../../read/read-acl.js';
import type { AclSweepDeps } from '../../reconcile/deps.js';
import { isAclActive, needsAclObjects } from '../apply/acl-state.js';
import { reportRefusals } from '../apply/refusals.js';
import { tolerateDenied } from '../apply/tolerate-denied.js';
import { clientsWithAcl } from '../state/acl-owners.js';
import { planPeopleFleet } from '../state/people-acl.js';
import { peopleTriggers, toTrigger } from './acl-triggers.js';
import { isPending, planAcl } from './plan-clients.js';
import { recordGoneAcl } from './record-gone-acl.js';
import { removeLeft } from './remove-left.js';
import { warnOfFirstLogins } from './warn-of-first-logins.js';

/** The result of the complete comparison of ACL objects. */
interface AclComparison {
  /** Names of ours with existing objects, and policies. */
  readonly objects: number;
  readonly changes: number;
  readonly holds: number;
}

const NOTHING: AclComparison = { objects: 0, changes: 0, holds: 0 };

/**
 * Reads every ACL object of ours, plans every client, known or not, and all people, and queues those with work. Only this
 * comparison removes policies that nothing links. If the mapping wants no ACL objects, the comparison that finds none is the last.
 */
export async function sweepAcl(
  deps: AclSweepDeps,
  cause: Cause,
  signal: AbortSignal,
): Promise<AclComparison> {
  if (!isAclActive(deps)) return NOTHING;
  return (await tolerateDenied(() => compare(deps, cause, signal), deps)) ?? NOTHING;
}

async function compare(deps: AclSweepDeps, cause: Cause, signal: AbortSignal): Promise<AclComparison> {
  await readAllAcl(deps, signal);
  const { cache } = deps.acl;
  const { mapping } = deps.world;
  const planned = await planAcl(clientsWithAcl(deps), deps);
  const clients = planned.map(({ plan }) => plan);
  warnOfFirstLogins(clients, deps);
  const people = planPeopleFleet(deps);
  const plans = [...clients, ...people.map(({ plan }) => plan)];
  // Before the removals: there may be many, each waits for Consul, and one may fail. No revocation waits for them.
  await deps.queue.add([
    ...planned.filter(isPending).map(({ plan }) => toTrigger(plan, cause)),
    ...peopleTriggers(people, cause),
  ]);
  const left = await removeLeft(plans, cause, deps, signal);
  reportRefusals(left.refusals, deps);
  await recordGoneAcl(cause, deps);
  if (!needsAclObjects(mapping) && !cache.holdsMarked(mapping.owner)) {
    // Afterwards nothing would end them.
    const { holds } = await deps.journal.read(leftObjectsKey(mapping.owner));
    if (holds.size === 0) await deps.acl.noteNoObjects(deps.keyValues);
  }
  return {
    objects: cache.owned.size + cache.policies.size,
    changes: plans.reduce((sum, plan) => sum + plan.changes.length, 0),
    holds: plans.reduce((sum, plan) => sum + plan.holds.length, left.holds),
  };
}
