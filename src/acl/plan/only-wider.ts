import type { AclRole, Stored } from '../../model/acl.js';
import { compareText } from '../../model/compare-text.js';
import { isUnlimited, mayHaveAdmittedOthers } from './diff-methods.js';
import type { DesiredAcl } from './login.js';
import { byName, type OwnedAcl, ruleKey } from './owned-acl.js';

/**
 * The desired state if nothing is narrowed or deleted (`mode: extend`): roles keep what they have and gain what they should
 * have, lifetimes are never shortened, and what could only be replaced stays. An object that somebody changed grants nobody
 * more: no role gets a changed policy, a changed method admits nobody new, and a role that others may have through a
 * changed method or rule stays as it is.
 */
export function onlyWider(
  desired: DesiredAcl,
  ours: OwnedAcl,
): { readonly desired: DesiredAcl; readonly ours: OwnedAcl } {
  // One rule per key: duplicates are ignored.
  const rules = new Map(ours.bindingRules.map((stored) => [ruleKey(stored.object), stored]));
  const policies = [...ours.policies.values()].map(({ object }) => object);
  const changed = changedPolicies(desired, ours);
  const methods = changedMethods(desired, ours);
  const open = rolesOfOthers(desired, ours, methods);
  const bindingRules = desired.bindingRules.filter(
    (rule) => rules.has(ruleKey(rule)) || !methods.has(rule.authMethod.toLowerCase()),
  );
  const bound = new Set(bindingRules.map(({ bindName }) => bindName.toLowerCase()));
  return {
    ours: {
      policies: unaltered(ours.policies),
      roles: unaltered(ours.roles),
      authMethods: unaltered(ours.authMethods),
      bindingRules: [...rules.values()].map((stored) => ({ ...stored, isAltered: false })),
    },
    desired: {
      policies: desired.policies.map(
        (policy) => policies.find(({ name }) => name.toLowerCase() === policy.name.toLowerCase()) ?? policy,
      ),
      roles: desired.roles.flatMap((role) => {
        const key = role.name.toLowerCase();
        const stored = ours.roles.get(key);
        if (open.has(key)) return stored?.object ?? [];
        const given = { ...role, policies: role.policies.filter((name) => !changed.has(name.toLowerCase())) };
        if (stored !== undefined) return both(stored.object, given);
        return bound.has(key) ? given : [];
      }),
      authMethods: desired.authMethods.map((method) => {
        const stored = ours.authMethods.get(method.name.toLowerCase());
        if (stored === undefined) return method;
        const { maxTokenTtlSeconds } = stored.object;
        if (mayHaveAdmittedOthers(stored, method) || isUnlimited(maxTokenTtlSeconds)) return stored.object;
        return { ...method, maxTokenTtlSeconds: Math.max(method.maxTokenTtlSeconds, maxTokenTtlSeconds) };
      }),
      bindingRules: bindingRules.map((rule) => rules.get(ruleKey(rule))?.object ?? rule),
    },
  };
}

/** By lower-case name. */
function changedPolicies(desired: DesiredAcl, ours: OwnedAcl): ReadonlySet<string> {
  const changed = desired.policies.filter(({ name, rules }) => {
    const stored = ours.policies.get(name.toLowerCase());
    return stored !== undefined && (stored.isAltered || stored.object.rules !== rules);
  });
  return new Set(changed.map(({ name }) => name.toLowerCase()));
}

/** By lower-case name: existing methods that may admit others than the desired ones. */
function changedMethods(desired: DesiredAcl, ours: OwnedAcl): ReadonlySet<string> {
  const changed = desired.authMethods.filter((method) => {
    const stored = ours.authMethods.get(method.name.toLowerCase());
    return stored !== undefined && mayHaveAdmittedOthers(stored, method);
  });
  return new Set(changed.map(({ name }) => name.toLowerCase()));
}

/** Roles, by lower-case name, that rules grant through a changed method, or to others than the desired rules. */
function rolesOfOthers(
  desired: DesiredAcl,
  ours: OwnedAcl,
  methods: ReadonlySet<string>,
): ReadonlySet<string> {
  const desiredByKey = new Map(desired.bindingRules.map((rule) => [ruleKey(rule), rule]));
  const open = new Set<string>();
  for (const { object, isAltered } of ours.bindingRules) {
    const isAsDesired = !isAltered && desiredByKey.get(ruleKey(object))?.selector === object.selector;
    if (object.bindType === 'role' && (!isAsDesired || methods.has(object.authMethod.toLowerCase())))
      open.add(object.bindName.toLowerCase());
  }
  return open;
}

function both(from: AclRole, to: AclRole): AclRole {
  const had = byName(from.policies.map((name) => ({ name })));
  const added = to.policies.filter((name) => !had.has(name.toLowerCase()));
  return {
    ...to,
    policies: [...from.policies, ...added].toSorted(compareText),
    serviceIdentities: [...new Set([...from.serviceIdentities, ...to.serviceIdentities])].toSorted(
      compareText,
    ),
  };
}

function unaltered<T>(all: ReadonlyMap<string, Stored<T>>): ReadonlyMap<string, Stored<T>> {
  return new Map([...all].map(([key, stored]) => [key, { ...stored, isAltered: false }]));
}
