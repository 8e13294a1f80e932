import type { Guardable } from '../../plan/guards/guards.js';
import type { AclChange } from '../plan/acl-change.js';
import { aclSubject } from '../plan/acl-change.js';
import type { PersonRole } from '../plan/person.js';
import { type PeopleFacts, type PeoplePlan, planPeople } from '../plan/plan-people.js';
import { ACL_KIND, roleLoss, withApproval } from './guard-acl.js';

/** The plan of a provider's people for the guards: each role whose removal is inferred is one loss. */
export function guardablePeople(
  facts: PeopleFacts,
  acl: Parameters<typeof planPeople>[1],
): Guardable<AclChange, PeoplePlan> {
  const plan = planPeople(facts, acl);
  const isLosing = plan.changes.some((change) => change.narrows && change.isInferred);
  const subjects = new Map(
    [...plan.inferred].map(([name, person]) => [personText(person), roleSubjectOf(name)]),
  );
  const lossOf = (name: string, person: PersonRole) =>
    roleLoss(roleSubjectOf(name), {
      person: { provider: facts.provider, ...person, actorKind: 'human' },
      scopes: [],
    });
  return {
    ...ACL_KIND,
    plan,
    losses: isLosing ? [...plan.inferred].map(([name, person]) => lossOf(name, person)) : [],
    keeping: (kept) => {
      const names = [...plan.inferred.keys()].filter((name) => kept.has(roleSubjectOf(name)));
      return planPeople({ ...facts, kept: new Set(names) }, acl);
    },
    approved: (change, approvals) => {
      const subject = change.person && subjects.get(personText(change.person));
      return withApproval(change, subject === undefined ? undefined : approvals.get(subject));
    },
  };
}

function roleSubjectOf(name: string): string {
  return aclSubject('acl-role', name);
}

function personText({ subject, group }: PersonRole): string {
  return JSON.stringify([subject, group]);
}
