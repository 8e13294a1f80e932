import type { Principal } from '../model/cause.js';
import { type AclChange, aclHold } from '../plan/acl/acl-change.js';
import type { Guardable } from '../plan/guards/guards.js';
import type { Hold } from '../plan/plan.js';
import { type ClientAclPlan, hasInferredLoss } from './plan-client-acl.js';

/** The plan of a client's ACL objects for the guards. `rest`: the plan without the loss, if that is held. */
export function guardableClient(
  plan: ClientAclPlan,
  rest: () => ClientAclPlan,
): Guardable<AclChange, ClientAclPlan> {
  return {
    ...ACL_KIND,
    plan,
    losses: hasInferredLoss(plan.changes) ? [{ subject: plan.subject, hold: lossHold(plan) }] : [],
    keeping: () => {
      const left = rest();
      return { ...left, holds: left.holds.filter(({ reason }) => reason !== 'ModeForbids') };
    },
    approved: (change, approvals) => withApproval(change, approvals.get(plan.subject)),
  };
}

/** The parts that all plans of ACL objects share. */
export const ACL_KIND = {
  toHold: aclHold,
  // Narrowing and widening are separate steps.
  narrowing: () => undefined,
  /** Widening steps depend on each other, so all of them wait. */
  without: (changes, held, isFrozen) => {
    if (held.size === 0) return changes;
    const desired = new Map(
      [...held].flatMap(({ subject, step }) => (step.do === 'write' ? [[subject, step.object]] : [])),
    );
    return changes.flatMap((change) => {
      if (!change.narrows || held.has(change)) return [];
      const remembered = isFrozen ? undefined : desired.get(change.subject);
      return remembered === undefined ? change : { ...change, remembered };
    });
  },
  opensLast: false,
  contendedText:
    'another writer undoes this change again and again; find out what writes this object (Terraform, a script) and keep one writer',
} satisfies Pick<
  Guardable<AclChange, ClientAclPlan>,
  'toHold' | 'narrowing' | 'without' | 'opensLast' | 'contendedText'
>;

export function withApproval(change: AclChange, approvedBy: Principal | undefined): AclChange {
  return approvedBy === undefined ? change : { ...change, approvedBy };
}

function lossHold({ subject, client, changes, desired }: ClientAclPlan): Hold {
  const losses = changes.filter((change) => change.narrows && change.isInferred);
  return {
    subject,
    resource: { kind: 'acl-role', name: decodeURIComponent(subject.split('/')[1] ?? '') },
    reason: 'RevocationLimit',
    detail: 'approved',
    action: 'revoke',
    client,
    scopes: [...new Set(losses.flatMap(({ scopes }) => scopes))].toSorted(),
    leaves: JSON.stringify(desired.roles.map((role) => [role.policies, role.serviceIdentities])),
  };
}
