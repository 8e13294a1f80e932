import type {
  AclAuthMethod,
  AclBindingRule,
  AclPolicy,
  AclRole,
  AclSnapshot,
  Stored,
} from '../../model/acl.js';
import { compareText } from '../../model/compare-text.js';
import { hasOurName, isOurs } from '../../plan/object-names.js';
import { isOwnedDescription } from '../../plan/ownership.js';

/** The owned objects of a snapshot, by lower-case name, because names in Consul are case-insensitive. */
export interface OwnedAcl {
  readonly policies: ReadonlyMap<string, Stored<AclPolicy>>;
  readonly roles: ReadonlyMap<string, Stored<AclRole>>;
  readonly authMethods: ReadonlyMap<string, Stored<AclAuthMethod>>;
  /** In the order of their ids. */
  readonly bindingRules: readonly Stored<AclBindingRule>[];
}

/**
 * The objects with the mark in name and Description. A binding rule has no name, so the name of its method counts: a marked
 * rule of a foreign method is not owned.
 */
export function ownedAcl(owner: string, snapshot: AclSnapshot): OwnedAcl {
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

/** `MaxTokenTTL` of an existing auth method, if owned. */
export function existingTtlSeconds(owner: string, method: AclAuthMethod | undefined): number | undefined {
  const isOwn = method !== undefined && isOurs(owner, method.name, method.description);
  return isOwn ? method.maxTokenTtlSeconds : undefined;
}

/** By lower-case name. */
export function byName<T extends { readonly name: string }>(all: readonly T[]): ReadonlyMap<string, T> {
  return new Map(all.map((each) => [each.name.toLowerCase(), each]));
}

export function inOrder<T>(all: ReadonlyMap<string, T>): readonly (readonly [string, T])[] {
  return [...all].toSorted(([a], [b]) => compareText(a, b));
}

/** The method of a rule and what the rule binds. */
export function ruleKey(rule: AclBindingRule): string {
  return JSON.stringify([rule.authMethod.toLowerCase(), rule.bindType, rule.bindName.toLowerCase()]);
}
