import type { AclObject, AclSnapshot } from '../../model/acl.js';
import { canonicalJson } from '../../model/canonical-json.js';
import type { DraftDecision } from '../../model/decision.js';
import { aclSubject, digestObject, nameOf } from '../../plan/acl/acl-change.js';
import type { ObservedObject } from '../lost-answers.js';

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
  const found = new Map<string, AclObject[]>();
  const add = (object: AclObject) => {
    const subject = aclSubject(object.kind, ...nameOf(object));
    found.set(subject, [...(found.get(subject) ?? []), object]);
  };
  for (const { object } of policies) add({ kind: 'acl-policy', object });
  for (const { object } of roles) add({ kind: 'acl-role', object });
  for (const { object } of authMethods) add({ kind: 'acl-auth-method', object });
  for (const { object } of bindingRules) add({ kind: 'acl-binding-rule', object });
  return found;
}
