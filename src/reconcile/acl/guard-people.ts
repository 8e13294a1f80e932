import type { Principal } from '../../model/cause.js';
import { type AclChange, aclSubject } from '../../plan/acl/acl-change.js';
import { revocationLimit } from '../../plan/guard.js';
import type { Hold } from '../../plan/plan.js';
import type { KeyRecord } from '../../queue/journal.js';
import { rulingOn } from '../approvals.js';
import { budgetOf, inferredAcrossFleet } from '../fleet.js';
import { aclBudget } from './acl-budget.js';
import { type GuardDeps, holdContended, observed } from './guard-acl.js';
import { type PeopleFacts, type PeoplePlan, planPeople } from './plan-people.js';

/** A plan of people after the guards. */
export interface GuardedPeople {
  readonly changes: readonly AclChange[];
  readonly holds: readonly Hold[];
  /** Roles, in lower case, that go by inference; each counts for the mass guard. */
  readonly counted: readonly string[];
  readonly approvedBy?: Principal;
  /** The holds that an approval lifts; told until their changes are made. */
  readonly used: readonly Hold[];
}

/** The mass guard, approvals, contention and the mode `observe`, in this order. */
export async function guardPeople(
  facts: PeopleFacts,
  record: KeyRecord,
  deps: GuardDeps,
): Promise<GuardedPeople> {
  const plan = planPeople(facts, deps.acl);
  const guarded = await guardLosses(plan, facts, record, deps);
  const contended = { ...guarded, ...holdContended(guarded, deps) };
  return deps.world.mapping.mode === 'observe' ? { ...contended, ...observed(contended) } : contended;
}

export function roleSubjectOf(name: string): string {
  return aclSubject('acl-role', name);
}

async function guardLosses(
  plan: PeoplePlan,
  facts: PeopleFacts,
  record: KeyRecord,
  deps: GuardDeps,
): Promise<GuardedPeople> {
  const losing = plan.changes.filter((change) => change.narrows && change.isInferred);
  if (losing.length === 0) return { changes: plan.changes, holds: plan.holds, counted: [], used: [] };
  const { world, window, clock } = deps;
  const now = clock.now();
  const budget = aclBudget(deps, now);
  const counted = { owned: budget.owned, wanted: Math.max(budget.wanted, plan.inferred.size) };
  const edges = inferredAcrossFleet(world, now);
  const { used, wanted, ownedAtStart: owned } = budgetOf(world, window, now, edges, counted);
  const limit = revocationLimit(world.mapping, owned);
  if (used + wanted <= limit)
    return { changes: plan.changes, holds: plan.holds, counted: [...plan.inferred.keys()], used: [] };

  const detail =
    `${used + wanted} of ${owned} edges, clients and memberships would lose access within ` +
    `${Math.round(world.mapping.maxRevocations.windowMs / 1000)} s only because of what is missing from a read; ` +
    `the limit is ${limit}. If that is right, approve it; if not, mend the identity provider`;
  const held = new Map<string, Hold>();
  const lifted: Hold[] = [];
  let approvedBy: Principal | undefined;
  for (const [name, person] of plan.inferred) {
    const hold: Hold = {
      subject: roleSubjectOf(name),
      resource: { kind: 'acl-role', name },
      reason: 'RevocationLimit',
      detail,
      action: 'revoke',
      person: { provider: facts.provider, ...person, actorKind: 'human' },
      scopes: [],
    };
    const ruling = await rulingOn(hold, record.holds, deps);
    if (ruling?.verdict === 'approved') {
      lifted.push(hold);
      approvedBy ??= ruling.by;
    } else if (ruling === undefined) held.set(name, hold);
    else {
      const said = `${ruling.by.id} rejected this removal at ${ruling.at}; the access is kept`;
      held.set(name, { ...hold, detail: said });
    }
  }
  const rest = held.size === 0 ? plan : planPeople({ ...facts, kept: new Set(held.keys()) }, deps.acl);
  return {
    changes: rest.changes.map((change) => ({ ...change, isInferred: false })),
    holds: [...rest.holds, ...held.values()],
    counted: [],
    ...(approvedBy === undefined ? {} : { approvedBy }),
    used: lifted,
  };
}
