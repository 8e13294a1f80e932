import type { ObservedObject } from '../../apply/lost-answers.js';
import type { AclObject, AclSnapshot } from '../../model/acl.js';
import { canonicalJson } from '../../model/canonical-json.js';
import type { DraftDecision } from '../../model/decision.js';
import { groupBy } from '../../model/group-by.js';
import { aclSubject, digestObject, nameOf } from '../plan/acl-change.js';

/** The object of a draft, as a read shows it. */
export function observedIn(actual: AclSnapshot): (draft: Pick<DraftDecision, 'subject'>) => ObservedObject {
  const existing = objectsBySubject(actual);
  return ({ subject }) => ({ isNow: (view) => isAsExpected(view, existing.get(subject) ?? []) });
}

function isAsExpected(expected: unknown, now: readonly AclObject[]): boolean {
  if (expected === null || expected === undefined) return now.length === 0;
  const text = canonicalJson(expected);
  return now.some((object) => digestObject(object) === text);
}

export function objectsBySubject({
  policies,
  roles,
  authMethods,
  bindingRules,
}: AclSnapshot): ReadonlyMap<string, readonly AclObject[]> {
  const objects: readonly AclObject[] = [
    ...policies.map(({ object }) => ({ kind: 'acl-policy' as const, object })),
    ...roles.map(({ object }) => ({ kind: 'acl-role' as const, object })),
    ...authMethods.map(({ object }) => ({ kind: 'acl-auth-method' as const, object })),
    ...bindingRules.map(({ object }) => ({ kind: 'acl-binding-rule' as const, object })),
  ];
  return groupBy(objects, (object) => aclSubject(object.kind, ...nameOf(object)));
}
