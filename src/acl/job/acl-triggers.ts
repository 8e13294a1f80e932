import type { Cause } from '../../model/cause.js';
import { clientKey, providerKey } from '../../model/key.js';
import type { Evidence, Trigger } from '../../model/trigger.js';
import type { ClientId } from '../../plan/world.js';
import { readAllAcl } from '../../read/read-acl.js';
import type { AclPlanDeps } from '../../reconcile/deps.js';
import { isAclActive } from '../apply/acl-state.js';
import { tolerateDenied } from '../apply/tolerate-denied.js';
import { clientsWithAcl, uniqueClients } from '../state/acl-owners.js';
import { type PlannedPeople, planPeopleFleet, providersOfPeople } from '../state/people-acl.js';
import { type ClientAclPlan, hasInferredLoss } from '../state/plan-client-acl.js';
import { countAhead } from './acl-budget.js';
import { isPending, planAcl } from './plan-clients.js';
import { warnOfFirstLogins } from './warn-of-first-logins.js';

/** The result of one provider's complete read. */
export interface CompleteRead {
  readonly provider: string;
  /** The clients that it may have changed. */
  readonly clients: readonly ClientId[];
  /** The first read of this provider compares all clients, also those that it does not show. */
  readonly isFirst: boolean;
  readonly evidenceOf: (id: ClientId) => readonly Evidence[];
}

/**
 * Triggers for the clients of one provider with changes or holds of ACL objects after a complete read of it. It uses the
 * known state of Consul: to read thousands of auth methods at each poll would load Consul, and the watch finds changes.
 */
export async function aclTriggersOf(
  read: CompleteRead,
  deps: AclPlanDeps,
  cause: Cause,
  signal: AbortSignal,
): Promise<readonly Trigger[]> {
  const { acl } = deps;
  if (!isAclActive(deps)) return [];
  const isAll = read.isFirst || acl.uncompared.has(read.provider);
  acl.uncompared.add(read.provider);
  if (!acl.cache.isComplete && (await tolerateDenied(() => readAllAcl(deps, signal), deps)) === undefined)
    return [];
  const all = isAll ? clientsWithAcl(deps, read.provider) : [];
  const triggers = await clientTriggers(
    uniqueClients([...read.clients, ...all]),
    deps,
    cause,
    read.evidenceOf,
  );
  acl.uncompared.delete(read.provider);
  return triggers;
}

/** Triggers for all keys with changes or holds of ACL objects, from a fresh and complete read. */
export async function aclTriggers(
  deps: AclPlanDeps,
  cause: Cause,
  signal: AbortSignal,
): Promise<readonly Trigger[]> {
  if (!isAclActive(deps)) return [];
  if ((await tolerateDenied(() => readAllAcl(deps, signal), deps)) === undefined) return [];
  const clients = await clientTriggers(clientsWithAcl(deps), deps, cause);
  return [...clients, ...peopleTriggers(planPeopleFleet(deps), cause)];
}

/** Triggers for all known keys, if Consul cannot be read to find those with changes. */
export function everyAclTrigger(deps: Pick<AclPlanDeps, 'world' | 'acl'>, cause: Cause): readonly Trigger[] {
  const keys = [
    ...clientsWithAcl(deps).map((id) => clientKey(id.provider, id.clientId)),
    ...providersOfPeople(deps).map((provider) => providerKey(provider)),
  ];
  return keys.map((key) => ({ key, cause, urgent: true }));
}

async function clientTriggers(
  clients: readonly ClientId[],
  deps: AclPlanDeps,
  cause: Cause,
  evidenceOf?: CompleteRead['evidenceOf'],
): Promise<readonly Trigger[]> {
  const plans = await planAcl(clients, deps, evidenceOf);
  if (plans.some(({ plan }) => hasInferredLoss(plan.changes))) await countAhead(deps);
  warnOfFirstLogins(
    plans.map(({ plan }) => plan),
    deps,
  );
  return plans.filter(isPending).map(({ plan }) => toTrigger(plan, cause, evidenceOf?.(plan.client)));
}

export function toTrigger(
  { client, changes }: ClientAclPlan,
  cause: Cause,
  evidence: readonly Evidence[] = [],
): Trigger {
  return {
    key: clientKey(client.provider, client.clientId),
    cause,
    ...(changes.some((change) => change.narrows) ? { urgent: true } : {}),
    ...(evidence.length === 0 ? {} : { evidence }),
  };
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
