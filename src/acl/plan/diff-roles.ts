import type { AclObject, AclPolicy, AclRole, Stored } from '../../model/acl.js';
import type { AclChange } from './acl-change.js';
import type { AclSteps } from './acl-steps.js';
import type { DesiredAcl } from './login.js';
import { byName, inOrder, type OwnedAcl } from './owned-acl.js';

interface RoleDiff {
  readonly narrowing: readonly AclChange[];
  readonly policies: readonly AclChange[];
  readonly widening: readonly AclChange[];
  /** Roles that are not desired but must stay. */
  readonly kept: readonly AclRole[];
}

/** Roles and the policies they link. */
export function diffRoles(
  desired: DesiredAcl,
  ours: OwnedAcl,
  { lives, tainted }: { lives: (method: string) => boolean; tainted: ReadonlySet<string> },
  steps: AclSteps,
  mayRemove: (object: AclObject) => boolean,
): RoleDiff {
  const desiredByName = byName(desired.roles);
  const { spoiled, unspoiling, policies } = diffPolicies(desired, ours, steps);
  const narrowing: AclChange[] = [];
  const widening: AclChange[] = [];
  const kept: AclRole[] = [];
  for (const [key, stored] of inOrder(ours.roles)) {
    const to = desiredByName.get(key);
    const object = roleObject(stored.object);
    if (to === undefined && !mayRemove(object)) {
      kept.push(stored.object);
      continue;
    }
    if (to !== undefined && !tainted.has(key)) {
      const changes = diffRole(stored, to, spoiled, steps);
      narrowing.push(...changes.narrowing);
      widening.push(...changes.widening);
      continue;
    }
    const mayHaveTokens = ours.bindingRules.some(
      ({ object: rule }) => rule.bindName.toLowerCase() === key && lives(rule.authMethod),
    );
    // Tokens can be found by a role's name only while the role exists.
    if (mayHaveTokens) narrowing.push(steps.endTokens(object, { role: stored.object.name }));
    narrowing.push(steps.remove(stored.id, object));
    if (to !== undefined) widening.push(steps.create(roleObject(to)));
  }
  for (const [key, role] of inOrder(desiredByName))
    if (!ours.roles.has(key)) widening.push(steps.create(roleObject(role)));
  return { narrowing: [...narrowing, ...unspoiling], policies, widening, kept };
}

/** Owned policies that no role links after the plan. */
export function unlinkedPolicies(
  desired: DesiredAcl,
  kept: readonly AclRole[],
  ours: OwnedAcl,
  steps: AclSteps,
  mayRemove: (object: AclObject) => boolean,
): readonly AclChange[] {
  const linked = new Set([...desired.roles, ...kept].flatMap((role) => role.policies.map(lower)));
  const desiredByName = byName(desired.policies);
  return inOrder(ours.policies)
    .filter(
      ([key, { object }]) => !desiredByName.has(key) && !linked.has(key) && mayRemove(policyObject(object)),
    )
    .map(([, stored]) => steps.remove(stored.id, policyObject(stored.object), 'neither'));
}

/** Changes a role that keeps its tokens. They lose at once what the role loses. */
function diffRole(
  stored: Stored<AclRole>,
  desired: AclRole,
  spoiled: ReadonlySet<string>,
  steps: AclSteps,
): Pick<RoleDiff, 'narrowing' | 'widening'> {
  const from = stored.object;
  // Consul rejects an update that changes only the case of a name.
  const to: AclRole = { ...desired, name: from.name };
  const linked = new Set(to.policies.map(lower));
  const remaining: AclRole = {
    ...to,
    policies: from.policies.filter((name) => linked.has(lower(name)) && !spoiled.has(lower(name))),
    serviceIdentities: from.serviceIdentities.filter((name) => to.serviceIdentities.includes(name)),
  };
  const loses = stored.isAltered || sizeOf(remaining) < sizeOf(from);
  const gains = sizeOf(to) > sizeOf(remaining);
  const isRenamed = to.description !== from.description;
  return {
    narrowing: loses ? [steps.update(stored.id, roleObject(remaining), from, 'narrows')] : [],
    widening: gains
      ? [steps.update(stored.id, roleObject(to), loses ? remaining : from, 'widens')]
      : isRenamed && !loses
        ? [steps.update(stored.id, roleObject(to), from, 'neither')]
        : [],
  };
}

/** The name of a policy is derived from its text. A policy with another text was edited, and is deleted and created again. */
function diffPolicies(desired: DesiredAcl, ours: OwnedAcl, steps: AclSteps) {
  const spoiled = new Set<string>();
  const unspoiling: AclChange[] = [];
  const policies: AclChange[] = [];
  for (const [key, policy] of inOrder(byName(desired.policies))) {
    const stored = ours.policies.get(key);
    if (stored !== undefined && (stored.object.rules !== policy.rules || stored.isAltered)) {
      spoiled.add(key);
      unspoiling.push(steps.remove(stored.id, policyObject(stored.object)));
    }
    if (stored === undefined || spoiled.has(key)) policies.push(steps.create(policyObject(policy)));
    else if (stored.object.description !== policy.description)
      policies.push(
        steps.update(
          stored.id,
          policyObject({ ...policy, name: stored.object.name }),
          stored.object,
          'neither',
        ),
      );
  }
  return { spoiled, unspoiling, policies };
}

function sizeOf(role: AclRole): number {
  return role.policies.length + role.serviceIdentities.length;
}

function lower(name: string): string {
  return name.toLowerCase();
}

function roleObject(object: AclRole): AclObject {
  return { kind: 'acl-role', object };
}

function policyObject(object: AclPolicy): AclObject {
  return { kind: 'acl-policy', object };
}
