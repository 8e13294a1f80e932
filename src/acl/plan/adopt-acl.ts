import type { AclAuthMethod, AclBindingRule, AclObject, AclRole, Stored } from '../../model/acl.js';
import { hasOurName, isOurs } from '../../plan/object-names.js';
import { isAnyMarked, isOwnedDescription } from '../../plan/ownership.js';
import { type AclChange, digestObject } from './acl-change.js';
import { createSteps } from './acl-steps.js';
import type { ForeignInput } from './foreign-acl.js';
import { ruleKey } from './owned-acl.js';

/**
 * Adopts unmarked objects that otherwise match the desired state: only their Description and the case of their name change.
 * Objects that another instance marked stay unchanged.
 */
export function planAclAdoption(input: ForeignInput): readonly AclChange[] {
  const { owner, desired, actual } = input;
  const steps = createSteps(input);
  const found: AclChange[] = [];
  const adopt = <T extends AclObject['object']>(
    stored: Stored<T> | undefined,
    target: AclObject,
    isEqual: (object: T) => boolean,
  ) => {
    if (stored === undefined || stored.isAltered || isAnyMarked(stored.object.description)) return;
    if (!isEqual(stored.object)) return;
    const change = steps.update(stored.id, target, stored.object, 'neither');
    found.push({ ...change, reason: 'Adopted', isInferred: false });
  };
  const unmarked = <T extends { readonly name: string; readonly description: string }>(
    all: readonly Stored<T>[],
    name: string,
  ) =>
    all.find(
      ({ object }) =>
        object.name.toLowerCase() === name.toLowerCase() && !isOurs(owner, object.name, object.description),
    );
  for (const policy of desired.policies) {
    const stored = unmarked(actual.policies, policy.name);
    const object = { ...policy, name: stored?.object.name ?? policy.name };
    adopt(stored, { kind: 'acl-policy', object }, ({ rules }) => rules === policy.rules);
  }
  for (const role of desired.roles) {
    const stored = unmarked(actual.roles, role.name);
    const object = { ...role, name: stored?.object.name ?? role.name };
    adopt(stored, { kind: 'acl-role', object }, (other) => isSameRole(other, role));
  }
  for (const method of desired.authMethods) {
    const stored = unmarked(actual.authMethods, method.name);
    adopt(stored, { kind: 'acl-auth-method', object: method }, (other) => isSameMethod(other, method));
  }
  const existing = actual.bindingRules.filter(({ object }) => hasOurName(owner, object.authMethod));
  for (const rule of desired.bindingRules) {
    const same = existing.filter(({ object }) => isSameRule(object, rule));
    if (same.some(({ object }) => isOwnedDescription(owner, object.description))) continue;
    adopt(same[0], { kind: 'acl-binding-rule', object: rule }, () => true);
  }
  return found;
}

/** Links are case-insensitive; the order of both lists is irrelevant. */
function isSameRole(a: AclRole, b: AclRole): boolean {
  const textOf = ({ policies, serviceIdentities }: AclRole) =>
    JSON.stringify([policies.map((name) => name.toLowerCase()).toSorted(), serviceIdentities.toSorted()]);
  return textOf(a) === textOf(b);
}

/** The name must match exactly: Consul updates a method only under its exact name. */
function isSameMethod(a: AclAuthMethod, b: AclAuthMethod): boolean {
  const textOf = (object: AclAuthMethod) =>
    digestObject({ kind: 'acl-auth-method', object: { ...object, description: '' } });
  return textOf(a) === textOf(b);
}

function isSameRule(a: AclBindingRule, b: AclBindingRule): boolean {
  return ruleKey(a) === ruleKey(b) && a.selector === b.selector;
}
