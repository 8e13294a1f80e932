import type {
  AclAuthMethod,
  AclBindingRule,
  AclPolicy,
  AclRole,
  AclSnapshot,
  Stored,
} from '../../model/acl.js';
import { compareText } from '../compare.js';
import { isOwnedDescription } from '../ownership.js';
import type { Hold } from '../plan.js';
import { type AclKind, aclSubject } from './acl-change.js';
import type { DesiredAcl } from './login.js';
import { hasOurName, isOurs } from './quote.js';

/** What of a snapshot is ours, by lower-case name, because names meet so in Consul. */
export interface OurAcl {
  readonly policies: ReadonlyMap<string, Stored<AclPolicy>>;
  readonly roles: ReadonlyMap<string, Stored<AclRole>>;
  readonly authMethods: ReadonlyMap<string, Stored<AclAuthMethod>>;
  /** In the order of their ids. */
  readonly bindingRules: readonly Stored<AclBindingRule>[];
}

/**
 * What carries the mark in name and Description. A binding rule has no name, so its method's name stands for it: a
 * marked rule of somebody else's method is not ours.
 */
export function ourAcl(owner: string, snapshot: AclSnapshot): OurAcl {
  const named = <T extends { readonly name: string; readonly description: string }>(
    all: readonly Stored<T>[],
  ) =>
    new Map(
      all
        .filter(({ object }) => isOurs(owner, object.name, object.description))
        .map((each) => [each.object.name.toLowerCase(), each] as const),
    );
  return {
    policies: named(snapshot.policies),
    roles: named(snapshot.roles),
    authMethods: named(snapshot.authMethods),
    bindingRules: snapshot.bindingRules
      .filter(
        ({ object }) => hasOurName(owner, object.authMethod) && isOwnedDescription(owner, object.description),
      )
      .toSorted((a, b) => compareText(a.id, b.id)),
  };
}

/**
 * What can be made of the desired objects beside somebody else's of the same names. A rule that would bind to a role
 * that is not ours would give whatever that role has: so what depends on a foreign object is not desired either.
 */
export function beside(
  desired: DesiredAcl,
  owner: string,
  snapshot: AclSnapshot,
): { readonly desired: DesiredAcl; readonly holds: readonly Hold[] } {
  const holds: Hold[] = [];
  const isFree = (
    kind: AclKind,
    all: readonly Stored<{ readonly name: string; readonly description: string }>[],
  ) => {
    const foreign = new Set(
      all
        .filter(({ object }) => !isOurs(owner, object.name, object.description))
        .map(({ object }) => object.name.toLowerCase()),
    );
    return ({ name }: { readonly name: string }) => {
      const isTaken = foreign.has(name.toLowerCase());
      if (isTaken) holds.push(foreignHold(kind, name));
      return !isTaken;
    };
  };
  const policies = desired.policies.filter(isFree('acl-policy', snapshot.policies));
  const methodNames = new Set(
    desired.authMethods.filter(isFree('acl-auth-method', snapshot.authMethods)).map(({ name }) => name),
  );
  const roleNames = new Set(desired.roles.filter(isFree('acl-role', snapshot.roles)).map(({ name }) => name));
  const bindingRules = desired.bindingRules.filter(
    (rule) => methodNames.has(rule.authMethod) && roleNames.has(rule.bindName),
  );
  const bound = new Set(bindingRules.map((rule) => rule.bindName));
  const used = new Set(bindingRules.map((rule) => rule.authMethod));
  const linked = new Set(policies.map(({ name }) => name));
  for (const { object } of snapshot.bindingRules) {
    if (used.has(object.authMethod) && !isOwnedDescription(owner, object.description))
      holds.push({
        ...foreignHold('acl-auth-method', object.authMethod),
        detail:
          'somebody added a binding rule of their own to this auth method, which admits others or gives more; remove the rule, or move it to a method of its own',
      });
  }
  return {
    holds,
    desired: {
      policies,
      roles: desired.roles
        .filter(({ name }) => bound.has(name))
        .map((role) => ({ ...role, policies: role.policies.filter((name) => linked.has(name)) })),
      authMethods: desired.authMethods.filter(({ name }) => used.has(name)),
      bindingRules,
    },
  };
}

function foreignHold(kind: AclKind, name: string): Hold {
  return {
    subject: aclSubject(kind, name),
    resource: { kind, name },
    reason: 'ForeignObject',
    detail:
      "somebody else's object of this name stands here, or its Description lost the mark; remove or rename it, or restore the mark",
    action: 'grant',
    scopes: [],
  };
}

/** By lower-case name. */
export function byName<T extends { readonly name: string }>(all: readonly T[]): ReadonlyMap<string, T> {
  return new Map(all.map((each) => [each.name.toLowerCase(), each]));
}

export function inOrder<T>(all: ReadonlyMap<string, T>): readonly (readonly [string, T])[] {
  return [...all].toSorted(([a], [b]) => compareText(a, b));
}

/** What a rule binds, by way of which method. */
export function ruleKey(rule: AclBindingRule): string {
  return JSON.stringify([rule.authMethod.toLowerCase(), rule.bindType, rule.bindName.toLowerCase()]);
}
