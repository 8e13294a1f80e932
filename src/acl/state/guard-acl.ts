import type { Principal } from '../../model/cause.js';
import type { Loss } from '../../plan/guards/guard.js';
import type { Guardable } from '../../plan/guards/guards.js';
import { type Hold, holdOf } from '../../plan/plan.js';
import type { AclChange } from '../plan/acl-change.js';
import { type ClientAclPlan, hasInferredLoss } from './plan-client-acl.js';

/** The plan of a client's ACL objects for the guards. `rest`: the plan without the loss, if that is held. */
export function guardableClient(
  plan: ClientAclPlan,
  rest: () => ClientAclPlan,
): Guardable<AclChange, ClientAclPlan> {
  return {
    ...ACL_KIND,
    plan,
    losses: hasInferredLoss(plan.changes) ? [lossOf(plan)] : [],
    keeping: () => {
      const left = rest();
      return { ...left, holds: left.holds.filter(({ reason }) => reason !== 'ModeForbids') };
    },
    approved: (change, approvals) => withApproval(change, approvals.get(plan.subject)),
  };
}

/** The parts that all plans of ACL objects share. */
export const ACL_KIND = {
  toHold: holdOf,
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

function lossOf({ subject, client, changes, desired }: ClientAclPlan): Loss {
  const losses = changes.filter((change) => change.narrows && change.isInferred);
  return roleLoss(subject, {
    client,
    scopes: [...new Set(losses.flatMap(({ scopes }) => scopes))].toSorted(),
    leaves: JSON.stringify(desired.roles.map((role) => [role.policies, role.serviceIdentities])),
  });
}

/** The loss of what a role gives, by the subject of the role. */
export function roleLoss(
  subject: string,
  more: Pick<Hold, 'client' | 'person' | 'scopes' | 'leaves'> = { scopes: [] },
): Loss {
  const name = decodeURIComponent(subject.split('/')[1] ?? '');
  const resource = { kind: 'acl-role', name } as const;
  const why = { reason: 'RevocationLimit', detail: 'approved', action: 'revoke' } as const;
  return { subject, hold: { subject, resource, ...why, ...more } };
}
