import type { Principal } from '../../model/cause.js';
import { type AclChange, aclSubject } from '../../plan/acl/acl-change.js';
import type { PersonRole } from '../../plan/acl/person.js';
import { type PeopleFacts, type PeoplePlan, planPeople } from '../../plan/acl/plan-people.js';
import { type Rejection, rejectedText, revocationLimit } from '../../plan/guard.js';
import type { Hold } from '../../plan/plan.js';
import { budgetOf, inferredAcrossFleet } from '../fleet.js';
import { aclBudget } from './acl-budget.js';
import { type GuardDeps, holdContended, observed, type RulingOf } from './guard-acl.js';

/** A plan of people after the guards. */
export interface GuardedPeople {
  readonly changes: readonly AclChange[];
  readonly holds: readonly Hold[];
  /** Roles, in lower case, that go by inference; each counts for the mass guard. */
  readonly counted: readonly string[];
  /** The holds that an approval lifts; told until their changes are made. */
  readonly used: readonly Hold[];
  /** By subject. */
  readonly rejections: ReadonlyMap<string, Rejection>;
  /** The members are not known: whether a removal is still held cannot be told. */
  readonly isUnknown: boolean;
}

/** Approvals and rejections, the mass guard, contention and the mode `observe`, in this order. */
export async function guardPeople(
  facts: PeopleFacts,
  rulingOf: RulingOf,
  deps: GuardDeps,
): Promise<GuardedPeople> {
  const plan = planPeople(facts, deps.acl);
  const guarded = await guardLosses(plan, facts, rulingOf, deps);
  const contended = { ...guarded, ...holdContended(guarded, deps) };
  return deps.world.mapping.mode === 'observe' ? { ...contended, ...observed(contended) } : contended;
}

export function roleSubjectOf(name: string): string {
  return aclSubject('acl-role', name);
}

/** A person's word comes before the limit: who is approved goes and is counted, who is rejected is kept. */
async function guardLosses(
  plan: PeoplePlan,
  facts: PeopleFacts,
  rulingOf: RulingOf,
  deps: GuardDeps,
): Promise<GuardedPeople> {
  const { isUnknown } = plan;
  if (!plan.changes.some((change) => change.narrows && change.isInferred)) {
    const { changes, holds } = plan;
    return { changes, holds, counted: [], used: [], rejections: new Map(), isUnknown };
  }
  const held = new Map<string, Hold>();
  const unruled: [string, Hold][] = [];
  const used: Hold[] = [];
  const rejections = new Map<string, Rejection>();
  const approvals = new Map<string, Principal>();
  for (const [name, person] of plan.inferred) {
    const hold: Hold = {
      subject: roleSubjectOf(name),
      resource: { kind: 'acl-role', name },
      reason: 'RevocationLimit',
      detail: 'approved',
      action: 'revoke',
      person: { provider: facts.provider, ...person, actorKind: 'human' },
      scopes: [],
    };
    const ruling = await rulingOf(hold);
    if (ruling === undefined) unruled.push([name, hold]);
    else if (ruling.verdict === 'approved') {
      used.push(hold);
      approvals.set(personText(person), ruling.by);
    } else {
      held.set(name, { ...hold, detail: rejectedText(ruling, 'access') });
      rejections.set(hold.subject, ruling);
    }
  }
  const detail = unruled.length === 0 ? undefined : beyondLimit(plan, deps);
  if (detail !== undefined) for (const [name, hold] of unruled) held.set(name, { ...hold, detail });

  const rest = held.size === 0 ? plan : planPeople({ ...facts, kept: new Set(held.keys()) }, deps.acl);
  return {
    changes: rest.changes.map((change) => {
      const approvedBy = change.person && approvals.get(personText(change.person));
      return approvedBy === undefined ? change : { ...change, approvedBy };
    }),
    holds: [...rest.holds, ...held.values()],
    counted: [...plan.inferred.keys()].filter((name) => !held.has(name)),
    used,
    rejections,
    isUnknown,
  };
}

/** What to say of losses that the mass guard does not let pass now. */
function beyondLimit(plan: PeoplePlan, deps: GuardDeps): string | undefined {
  const { world, window, clock } = deps;
  const now = clock.now();
  const budget = aclBudget(deps, now);
  const own = window.rejections.countOf([...plan.inferred.keys()].map(roleSubjectOf), now);
  const counted = { owned: budget.owned, wanted: Math.max(budget.wanted, own) };
  const edges = inferredAcrossFleet(world, window, now);
  const { used, wanted, ownedAtStart: owned } = budgetOf(world, window, now, edges, counted);
  const limit = revocationLimit(world.mapping, owned);
  if (used + wanted <= limit) return undefined;
  return (
    `${used + wanted} of ${owned} edges, clients and memberships would lose access within ` +
    `${Math.round(world.mapping.maxRevocations.windowMs / 1000)} s only because of what is missing from a read; ` +
    `the limit is ${limit}. If that is right, approve it; if not, mend the identity provider`
  );
}

function personText({ subject, group }: PersonRole): string {
  return JSON.stringify([subject, group]);
}
