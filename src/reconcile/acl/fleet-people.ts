import type { Cause } from '../../model/cause.js';
import { formatKey, providerKey } from '../../model/key.js';
import type { Trigger } from '../../model/trigger.js';
import type { PeoplePlan } from '../../plan/acl/plan-people.js';
import { knownMembers, plannedPeople, providersOfPeople } from '../../state/people-acl.js';
import type { ReconcilerDeps } from '../deps.js';

/** The plan of one provider's people, before the guards. */
export interface PlannedPeople {
  readonly provider: string;
  readonly plan: PeoplePlan;
  /** Whether the members of its groups are known. */
  readonly isKnown: boolean;
  /** A job of these people was writing by an earlier plan when this one was made. */
  readonly isUnderWay: boolean;
}

/** The plans of all people by the last read. */
export function planPeopleFleet(deps: Pick<ReconcilerDeps, 'world' | 'acl'>): readonly PlannedPeople[] {
  return providersOfPeople(deps).map((provider) => ({
    provider,
    plan: plannedPeople(provider, deps),
    isKnown: knownMembers(provider, deps) !== undefined,
    isUnderWay: deps.acl.isUnderWay(formatKey(providerKey(provider))),
  }));
}

/** One for each provider whose people have changes or holds, or whose members are unknown. */
export function peopleTriggers(plans: readonly PlannedPeople[], cause: Cause): readonly Trigger[] {
  return plans
    .filter(
      ({ plan, isKnown, isUnderWay }) =>
        isUnderWay || plan.changes.length + plan.holds.length > 0 || !isKnown,
    )
    .map(({ provider, plan, isKnown }) => ({
      key: providerKey(provider),
      cause,
      ...(isKnown ? {} : { members: true }),
      ...(plan.changes.some((change) => change.narrows) ? { urgent: true } : {}),
    }));
}
