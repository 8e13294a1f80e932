import { isAclActive, needsAclObjects } from '../../apply/acl/acl-state.js';
import { tolerateDenied } from '../../apply/acl/tolerate-denied.js';
import { SyncError } from '../../errors.js';
import type { Cause } from '../../model/cause.js';
import type { Trigger } from '../../model/trigger.js';
import { readAllAcl } from '../../read/read-acl.js';
import { clientsWithAcl } from '../../state/acl-owners.js';
import { planPeopleFleet } from '../../state/people-acl.js';
import type { AclSweepDeps } from '../deps.js';
import { peopleTriggers, toTrigger } from './acl-triggers.js';
import { isPending, planAcl } from './plan-clients.js';
import { removeLeft } from './remove-left.js';
import { warnOfFirstLogins } from './warn-of-first-logins.js';

/** The result of the complete comparison of ACL objects. */
export interface AclComparison {
  readonly triggers: readonly Trigger[];
  /** Names of ours with existing objects, and policies. */
  readonly objects: number;
  readonly changes: number;
  readonly holds: number;
  /** Of the removals that are made here. It does not keep the jobs from being queued. */
  readonly failure?: unknown;
}

const NOTHING: AclComparison = { triggers: [], objects: 0, changes: 0, holds: 0 };

/**
 * Reads every ACL object of ours, and plans every client, known or not, and all people. Only this comparison removes
 * policies that nothing links. If the mapping wants no ACL objects, the comparison that finds none is the last.
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
  const planned = await planAcl(clientsWithAcl(deps), deps);
  const clients = planned.map(({ plan }) => plan);
  warnOfFirstLogins(clients, deps);
  const people = planPeopleFleet(deps);
  const plans = [...clients, ...people.map(({ plan }) => plan)];
  const left = await removeLeft(plans, cause, deps, signal).catch((failure: unknown) => {
    if (signal.aborted || (failure instanceof SyncError && failure.code === 'ERR_CONSUL_DENIED'))
      throw failure;
    return { holds: 0, failure };
  });
  if (!needsAclObjects(deps.world.mapping) && !cache.holdsMarked(deps.world.mapping.owner))
    await deps.acl.noteNoObjects(deps.keyValues);
  return {
    ...('failure' in left ? { failure: left.failure } : {}),
    triggers: [
      ...planned.filter(isPending).map(({ plan }) => toTrigger(plan, cause)),
      ...peopleTriggers(people, cause),
    ],
    objects: cache.owned.size + cache.policies.size,
    changes: plans.reduce((sum, plan) => sum + plan.changes.length, 0),
    holds: plans.reduce((sum, plan) => sum + plan.holds.length, left.holds),
  };
}
