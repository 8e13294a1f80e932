import { aclHold } from '../../apply/acl/acl-draft.js';
import type { AclChange } from '../../plan/acl/acl-change.js';
import { type Rejection, rejectedText, revocationLimit } from '../../plan/guard.js';
import type { Hold } from '../../plan/plan.js';
import { type ClientAclPlan, losesByInference } from '../../state/plan-client-acl.js';
import type { Ruling } from '../approvals.js';
import type { ReconcilerDeps } from '../deps.js';
import { budgetOf, inferredAcrossFleet } from '../fleet.js';
import { type AclBudget, aclBudget } from './acl-budget.js';

/** What a person said of a hold of the mass guard that is told. */
export type RulingOf = (hold: Hold) => Promise<Ruling | undefined>;

/** A plan after the guards, and what passes, or is kept, only by a person's word. */
export interface GuardedAcl {
  readonly changes: readonly AclChange[];
  readonly holds: readonly Hold[];
  /** What opens what stands once the changes are made. */
  readonly opensBy: readonly string[];
  /** The holds that an approval lifts; told until their changes are made. */
  readonly used: readonly Hold[];
  /** By subject. */
  readonly rejections: ReadonlyMap<string, Rejection>;
}

export type GuardDeps = Pick<ReconcilerDeps, 'world' | 'acl' | 'window' | 'clock'> & {
  readonly contention: Pick<ReconcilerDeps['contention'], 'isContended'>;
};

/**
 * The mass guard, approvals, contention and the mode `observe`, in this order. `rest` is what is
 * left of a plan whose loss is held.
 */
export async function guardAcl(
  plan: ClientAclPlan,
  rest: () => ClientAclPlan,
  rulingOf: RulingOf,
  deps: GuardDeps,
  count: () => AclBudget = () => aclBudget(deps, deps.clock.now()),
): Promise<GuardedAcl> {
  const passed = losesByInference(plan.changes)
    ? await guardLoss(plan, rest, rulingOf, deps, count)
    : { ...plan, ...NOBODY_RULED };
  const contended = holdContended(passed, deps);
  return deps.world.mapping.mode === 'observe' ? observed(contended) : contended;
}

const NOBODY_RULED = { used: [], rejections: new Map<string, Rejection>() };

/** A person's word comes before the limit: what is approved passes and is counted, what is rejected is kept. */
async function guardLoss(
  plan: ClientAclPlan,
  rest: () => ClientAclPlan,
  rulingOf: RulingOf,
  deps: GuardDeps,
  count: () => AclBudget,
): Promise<GuardedAcl> {
  const losses = plan.changes.filter((change) => change.narrows && change.isInferred);
  const hold: Hold = {
    subject: plan.subject,
    resource: { kind: 'acl-role', name: nameIn(plan.subject) },
    reason: 'RevocationLimit',
    detail: 'approved',
    action: 'revoke',
    client: plan.client,
    scopes: [...new Set(losses.flatMap(({ scopes }) => scopes))].toSorted(),
    leaves: JSON.stringify(plan.desired.roles.map((role) => [role.policies, role.serviceIdentities])),
  };
  const ruling = await rulingOf(hold);
  if (ruling?.verdict === 'approved') {
    const changes = plan.changes.map((change) => ({ ...change, approvedBy: ruling.by }));
    return { ...plan, ...NOBODY_RULED, changes, used: [hold] };
  }
  const detail = ruling === undefined ? beyondLimit(deps, count()) : rejectedText(ruling, 'access');
  if (detail === undefined) return { ...plan, ...NOBODY_RULED };
  const { changes, holds, opensBy } = rest();
  const told = holds.filter(({ reason }) => reason !== 'ModeForbids');
  const rejections = new Map(ruling === undefined ? [] : [[plan.subject, ruling]]);
  return { changes, holds: [...told, { ...hold, detail }], opensBy, used: [], rejections };
}

/** What to say of a loss that the mass guard does not let pass now. */
function beyondLimit({ world, window, clock }: GuardDeps, acl: AclBudget): string | undefined {
  const now = clock.now();
  const counted = { owned: acl.owned, wanted: Math.max(acl.wanted, 1) };
  const edges = inferredAcrossFleet(world, window, now);
  const { used, wanted, ownedAtStart: owned } = budgetOf(world, window, now, edges, counted);
  const limit = revocationLimit(world.mapping, owned);
  if (used + wanted <= limit) return undefined;
  return (
    `${used + wanted} of ${owned} edges and clients with ACL objects would lose access within ` +
    `${Math.round(world.mapping.maxRevocations.windowMs / 1000)} s only because of what is missing from a read; ` +
    `the limit is ${limit}. If that is right, approve it; if not, mend the identity provider`
  );
}

/**
 * Somebody undoes this again and again: say so instead of fighting. What widens hangs together, so all of it waits; what
 * narrows waits only where it is about the same role or method.
 */
export function holdContended<T extends Pick<GuardedAcl, 'changes' | 'holds'>>(plan: T, deps: GuardDeps): T {
  const now = deps.clock.now();
  const contended = plan.changes.filter(
    ({ reason, subject }) => reason === 'DriftCorrected' && deps.contention.isContended(subject, now),
  );
  if (contended.length === 0) return plan;
  const detail =
    'somebody undoes this again and again; find out who writes this object (Terraform, a script) and keep one writer';
  const holds = contended.map((change) => aclHold(change, 'Contended', detail));
  const fought = new Set(contended.map(lastNameOf));
  const losses = plan.changes.filter(
    (change) => change.narrows && (change.reason !== 'DriftCorrected' || !fought.has(lastNameOf(change))),
  );
  return { ...plan, changes: losses, holds: [...plan.holds, ...holds] };
}

/** Of a role, of the role that a rule gives, and of what tokens came by. */
function lastNameOf({ resource }: AclChange): string {
  return (resource.name ?? '').split('/').at(-1)?.toLowerCase() ?? '';
}

export function observed<T extends Pick<GuardedAcl, 'changes' | 'holds'>>(plan: T): T {
  const detail = 'mode is observe: nothing is written';
  const holds = plan.changes.map((change) => aclHold(change, 'ModeForbids', detail));
  return { ...plan, changes: [], holds: [...plan.holds, ...holds] };
}

function nameIn(subject: string): string {
  return decodeURIComponent(subject.split('/')[1] ?? '');
}
