import type { AclObject, AclSnapshot } from '../../model/acl.js';
import { definedFields } from '../../model/defined-fields.js';
import { isOurs } from '../../plan/object-names.js';
import { isOwnedDescription, otherOwnerOf } from '../../plan/ownership.js';
import type { Hold } from '../../plan/plan.js';
import { aclSubject } from './acl-change.js';
import type { AclReasons } from './acl-steps.js';
import { type DesiredAcl, objectsOf } from './login.js';

type NamedAcl = Exclude<AclObject, { readonly kind: 'acl-binding-rule' }>;

export interface ForeignInput extends AclReasons {
  readonly owner: string;
  readonly desired: DesiredAcl;
  /** All objects with our name prefix (`hasOurName`), also without the mark. */
  readonly actual: AclSnapshot;
}

/**
 * The desired objects that are possible beside foreign objects with the same names. A rule that binds to a foreign role
 * would grant whatever that role has, so objects that depend on a foreign object are dropped too. An object that scopemesh
 * wrote and that lost its mark is held even if it is no longer desired, because nothing removes it.
 */
export function withoutForeignConflicts(input: ForeignInput): {
  readonly desired: DesiredAcl;
  readonly holds: readonly Hold[];
} {
  const { owner, desired, actual } = input;
  const foreign = new Map(foreignObjects(owner, actual).map((each) => [keyOf(each), each]));
  const isFree = (object: NamedAcl) => !foreign.has(keyOf(object));
  const policies = desired.policies.filter((object) => isFree({ kind: 'acl-policy', object }));
  const roleNames = new Set(
    desired.roles.filter((object) => isFree({ kind: 'acl-role', object })).map(({ name }) => name),
  );
  const methodNames = new Set(
    desired.authMethods
      .filter((object) => isFree({ kind: 'acl-auth-method', object }))
      .map(({ name }) => name),
  );
  const bindingRules = desired.bindingRules.filter(
    (rule) => methodNames.has(rule.authMethod) && roleNames.has(rule.bindName),
  );
  const bound = new Set(bindingRules.map((rule) => rule.bindName));
  const used = new Set(bindingRules.map((rule) => rule.authMethod));
  const linked = new Set(policies.map(({ name }) => name));
  return {
    holds: [...namedHolds(foreign, input), ...ruleHolds(used, input)],
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

/** Objects with our name prefix but without our mark. */
export function foreignObjects(
  owner: string,
  { policies, roles, authMethods }: AclSnapshot,
): readonly NamedAcl[] {
  return [
    ...policies.map(({ object }) => ({ kind: 'acl-policy' as const, object })),
    ...roles.map(({ object }) => ({ kind: 'acl-role' as const, object })),
    ...authMethods.map(({ object }) => ({ kind: 'acl-auth-method' as const, object })),
  ].filter(({ object }) => !isOurs(owner, object.name, object.description));
}

function namedHolds(foreign: ReadonlyMap<string, NamedAcl>, input: ForeignInput): readonly Hold[] {
  const desiredByKey = new Map(
    objectsOf(input.desired).flatMap((each) =>
      each.kind === 'acl-binding-rule' ? [] : [[keyOf(each), each] as const],
    ),
  );
  return [...foreign].flatMap(([key, object]) => {
    const to = desiredByKey.get(key);
    return to === undefined ? leftHold(object, input) : besideHold(to, object.object.description, input);
  });
}

function besideHold(
  object: NamedAcl,
  description: string,
  { owner, lastApplied, why }: ForeignInput,
): readonly Hold[] {
  const other = otherOwnerOf(owner, description);
  const subject = aclSubject(object.kind, object.object.name);
  const isLost = lastApplied.has(subject);
  const { client, person } = why(object, 'widen');
  return [
    {
      subject,
      resource: { kind: object.kind, name: object.object.name },
      reason: isLost ? 'MarkLost' : 'ForeignObject',
      detail: other
        ? `the scopemesh instance with owner ${other} marked this object, and only one instance can own it; rename the object, or remove it if that instance no longer exists`
        : isLost
          ? "scopemesh wrote this object, but the mark is missing from its Description; restore the mark ('scopemesh adopt' does this if the rest of the object is unchanged), or remove the object"
          : "an object with this name exists and scopemesh does not own it; remove or rename it, or run 'scopemesh adopt' if it already matches the desired object",
      action: 'grant',
      scopes: [],
      ...definedFields({ client, person }),
    },
  ];
}

/** Holds an unmarked object that scopemesh wrote and no longer desires. Not a policy: it opens nothing by itself. */
function leftHold(object: NamedAcl, { lastApplied, why }: ForeignInput): readonly Hold[] {
  const subject = aclSubject(object.kind, object.object.name);
  if (object.kind === 'acl-policy' || !lastApplied.has(subject)) return [];
  const { client, person, scopes } = why(object, 'narrow');
  return [
    {
      subject,
      resource: { kind: object.kind, name: object.object.name },
      reason: 'MarkLost',
      detail:
        'scopemesh wrote this object and would remove it, but the mark is missing from its Description, so the object and its access stay; remove the object, or restore the mark',
      action: 'revoke',
      scopes,
      ...definedFields({ client, person }),
    },
  ];
}

function ruleHolds(used: ReadonlySet<string>, { owner, actual }: ForeignInput): readonly Hold[] {
  return actual.bindingRules
    .filter(({ object }) => used.has(object.authMethod) && !isOwnedDescription(owner, object.description))
    .map(({ object }) => ({
      subject: aclSubject('acl-auth-method', object.authMethod),
      resource: { kind: 'acl-auth-method', name: object.authMethod },
      reason: 'ForeignObject',
      detail:
        'this auth method has a binding rule that does not carry the mark of scopemesh and may admit others or grant more; remove the rule, or move it to another auth method',
      action: 'grant',
      scopes: [],
    }));
}

function keyOf({ kind, object }: NamedAcl): string {
  return `${kind}/${object.name.toLowerCase()}`;
}
