import type { Guardable } from '../../plan/guards/guards.js';
import type { AclChange, AclPlan } from '../plan/acl-change.js';
import type { DesiredAcl } from '../plan/login.js';
import { ACL_KIND, roleLoss, withApproval } from './guard-acl.js';
import {
  isStillOrphaned,
  type KnownAcl,
  type Orphans,
  orphanedObjects,
  planOrphaned,
} from './orphaned-acl.js';
import { hasInferredLoss } from './plan-client-acl.js';
import { unlinkedPolicies } from './unlinked-policies.js';

/** Changes of the objects with one name, by the subject of their loss. */
interface OrphanChanges {
  readonly subject: string;
  readonly name: string;
  readonly changes: readonly AclChange[];
}

interface GuardableOrphans extends Guardable<AclChange, AclPlan>, Pick<Orphans, 'isUndecided'> {
  /** The changes in parts, one for each name that has some. */
  readonly byOrphan: (changes: readonly AclChange[]) => readonly OrphanChanges[];
  /**
   * The changes of one name that are left, for its objects of now: none if it has no object. Undefined if they must be
   * planned again: the client is known, an object was replaced, whose loss no guard saw, or the mode forbids them now.
   */
  readonly present: (orphan: OrphanChanges) => readonly AclChange[] | undefined;
  /** Whether the client of the changed object is still unknown. */
  readonly isStill: (change: AclChange) => boolean;
}

/**
 * The removal of objects whose client is unknown, for the guards: each name is one loss. Undefined while objects are
 * incomplete. `except`: subjects that the job of a client holds.
 */
export function guardableOrphans(
  deps: KnownAcl,
  except: ReadonlySet<string> = new Set(),
): GuardableOrphans | undefined {
  const found = orphanedObjects(deps);
  if (found === undefined) return undefined;
  const all = [...found.names].flatMap(([subject, name]) =>
    except.has(subject) ? [] : { subject, name, ...planOrphaned(name, deps) },
  );
  // By subject, because guards copy changes. A subject has the name of its objects.
  const orphanOf = new Map(
    all.flatMap((each) => each.changes.map((change) => [change.subject, each] as const)),
  );
  const planOf = (some: typeof all): AclPlan => ({
    changes: some.flatMap(({ changes }) => changes),
    holds: some.flatMap(({ holds }) => holds),
  });
  return {
    ...ACL_KIND,
    plan: planOf(all),
    losses: all.flatMap(({ subject, changes }) => (hasInferredLoss(changes) ? roleLoss(subject) : [])),
    keeping: (kept) => planOf(all.filter(({ subject }) => !kept.has(subject))),
    approved: (change, approvals) =>
      withApproval(change, approvals.get(orphanOf.get(change.subject)?.subject ?? '')),
    isUndecided: found.isUndecided,
    byOrphan: (changes) => {
      const parts = new Map<string, AclChange[]>(all.map(({ subject }) => [subject, []]));
      for (const change of changes) parts.get(orphanOf.get(change.subject)?.subject ?? '')?.push(change);
      return all.flatMap(({ subject, name }) => {
        const part = parts.get(subject) ?? [];
        return part.length === 0 ? [] : { subject, name, changes: part };
      });
    },
    present: ({ name, changes }) =>
      isStillOrphaned(name, deps) ? presentOf(name, changes, deps) : undefined,
    isStill: (change) => {
      const orphan = orphanOf.get(change.subject);
      return orphan !== undefined && isStillOrphaned(orphan.name, deps);
    },
  };
}

function presentOf(
  name: string,
  planned: readonly AclChange[],
  deps: KnownAcl,
): readonly AclChange[] | undefined {
  const before = new Map(planned.map((change) => [change.subject, change]));
  const now = planOrphaned(name, deps).changes.filter(({ subject }) => before.has(subject));
  const ids = new Set(planned.map(idOf));
  if (now.some((change) => !ids.has(idOf(change)))) return undefined;
  if (now.length === 0 && deps.acl.cache.owned.has(name)) return undefined;
  return now.map((change) => withApproval(change, before.get(change.subject)?.approvedBy));
}

function idOf({ step }: AclChange): string | undefined {
  return 'id' in step ? step.id : undefined;
}

/** The removal of policies that nothing links, for the guards. It takes nothing from anybody, so it is no loss. */
export function guardableUnlinked(
  plans: readonly { readonly desired: DesiredAcl }[],
  { acl, world }: KnownAcl,
): Guardable<AclChange, AclPlan> {
  const plan = unlinkedPolicies(plans, acl, world.mapping);
  return { ...ACL_KIND, plan, losses: [], keeping: () => plan, approved: (change) => change };
}
