import type { AclObject } from '../../model/acl.js';
import { compareText } from '../../model/compare-text.js';
import { EXTEND_FORBIDS, type WritePolicy } from '../../plan/mode.js';
import type { Hold } from '../../plan/plan.js';
import type { AclChange, AclPlan } from './acl-change.js';
import { type AclSteps, createSteps } from './acl-steps.js';
import { diffMethods, diffRules } from './diff-methods.js';
import { diffRoles, unlinkedPolicies } from './diff-roles.js';
import { type ForeignInput, withoutForeignConflicts } from './foreign-acl.js';
import type { DesiredAcl } from './login.js';
import { onlyWider } from './only-wider.js';
import { byName, type OwnedAcl, ownedAcl } from './owned-acl.js';

interface AclDiffInput extends ForeignInput, Pick<WritePolicy, 'plansNarrowing'> {
  /** Whether an owned object that is not desired may be removed; false while the facts behind it were not read. */
  readonly mayRemove: (object: AclObject) => boolean;
}

/**
 * Desired and actual state:
 *
 * | | differs | not desired | absent |
 * |---|---|---|---|
 * | policy | unlink, delete, create, link | delete when no role links it | create |
 * | role | remove links first, add links last | end its tokens, delete | create |
 * | auth method: lifetime | if shorter: update first, and end tokens that live too long | | |
 * | auth method: anything else | delete (its rules and tokens end with it), create | delete | create |
 * | binding rule | delete, replace its role, create | delete, and end the tokens of its role | create |
 *
 * A method or rule that differed may have admitted others, whose tokens have the role. They end before the role opens
 * anything. Narrowing changes links, roles, tokens or methods, never the text of a policy, which agents cache.
 */
export function diffAcl(input: AclDiffInput): AclPlan {
  const ours = ownedAcl(input.owner, input.actual);
  const { desired, holds } = withoutForeignConflicts(input);
  const steps = createSteps(input);
  const changes = order(desired, ours, steps, input.mayRemove);
  if (input.plansNarrowing) return { changes, holds: sorted(holds) };
  const forbidden = changes.filter((change) => change.narrows || change.verb === 'deleted').map(toForbidden);
  const wider = onlyWider(desired, ours);
  return {
    changes: order(wider.desired, wider.ours, steps, () => false),
    holds: sorted([...holds, ...new Map(forbidden.map((hold) => [hold.subject, hold])).values()]),
  };
}

/** Narrowing changes; then policies, roles, auth methods, binding rules; then unused policies. */
function order(
  desired: DesiredAcl,
  ours: OwnedAcl,
  steps: AclSteps,
  mayRemove: AclDiffInput['mayRemove'],
): readonly AclChange[] {
  const methods = diffMethods(byName(desired.authMethods), ours, steps, mayRemove);
  const rules = diffRules(desired.bindingRules, ours, methods.lives, steps, mayRemove);
  const roles = diffRoles(desired, ours, { lives: methods.lives, tainted: rules.tainted }, steps, mayRemove);
  return [
    ...methods.deleted,
    ...rules.narrowing,
    ...roles.narrowing,
    // Last of the narrowing changes: to write a method, Consul fetches the identity provider's keys, which may fail.
    ...methods.shortened,
    ...roles.policies,
    ...roles.widening,
    ...methods.written,
    ...rules.widening,
    ...unlinkedPolicies(desired, roles.kept, ours, steps, mayRemove),
  ];
}

/** The hold of a change that mode `extend` does not make. */
export function toForbidden(change: AclChange): Hold {
  return {
    subject: change.subject,
    resource: change.resource,
    reason: 'ModeForbids',
    detail: EXTEND_FORBIDS,
    action: change.action,
    scopes: change.scopes,
    ...(change.client === undefined ? {} : { client: change.client }),
  };
}

function sorted(holds: readonly Hold[]): readonly Hold[] {
  return holds.toSorted((a, b) => compareText(a.subject, b.subject) || compareText(a.reason, b.reason));
}
