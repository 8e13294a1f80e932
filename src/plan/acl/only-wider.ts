import type { AclRole, Stored } from '../../model/acl.js';
import { compareText } from '../compare.js';
import { isUnlimited, letsOthersIn } from './diff-methods.js';
import type { DesiredAcl } from './login.js';
import { byName, type OurAcl, ruleKey } from './standing-acl.js';

/**
 * What may be desired where nothing is narrowed or deleted (`mode: extend`): roles have what they have and what they
 * should, tokens live as long as they do or should, and what could only be exchanged stays as it is.
 */
export function onlyWider(
  desired: DesiredAcl,
  ours: OurAcl,
): { readonly desired: DesiredAcl; readonly ours: OurAcl } {
  // One of each kind: duplicates stay unseen.
  const rules = new Map(ours.bindingRules.map((stored) => [ruleKey(stored.object), stored]));
  const policies = [...ours.policies.values()].map(({ object }) => object);
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
      roles: desired.roles.map((role) => {
        const stored = ours.roles.get(role.name.toLowerCase());
        return stored === undefined ? role : both(stored.object, role);
      }),
      authMethods: desired.authMethods.map((method) => {
        const stored = ours.authMethods.get(method.name.toLowerCase());
        if (stored === undefined) return method;
        const { maxTokenTtlSeconds } = stored.object;
        if (letsOthersIn(stored, method) || isUnlimited(maxTokenTtlSeconds)) return stored.object;
        return { ...method, maxTokenTtlSeconds: Math.max(method.maxTokenTtlSeconds, maxTokenTtlSeconds) };
      }),
      bindingRules: desired.bindingRules.map((rule) => rules.get(ruleKey(rule))?.object ?? rule),
    },
  };
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
