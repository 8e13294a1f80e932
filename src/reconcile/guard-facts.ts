import { isAclSubject } from '../acl/apply/acl-draft.js';
import { aclBudget, countAhead, fleetBudget } from '../acl/job/acl-budget.js';
import type { CauseKind } from '../model/cause.js';
import type { Trigger } from '../model/trigger.js';
import { approvalsOf, rulingsOn } from '../operator/approvals.js';
import type { GuardFacts, Loss, MappingDoubtFacts, RevocationBudget } from '../plan/guards/guard.js';
import { policyOf } from '../plan/mode.js';
import type { KeyRecord } from '../queue/journal.js';
import { countInferred, usedHere } from '../state/fleet.js';
import { countInSlices } from './count-in-slices.js';
import type { GuardDeps } from './deps.js';

/** Destinations that are counted at once: some milliseconds. */
const SLICE = 50;

/** The facts that guards use besides a key's plan. */
export async function guardFacts(
  losses: readonly Loss[],
  recordedHolds: KeyRecord['holds'],
  deps: GuardDeps,
  triggers: readonly Pick<Trigger, 'cause'>[] = [],
): Promise<GuardFacts> {
  const { world, acl, contention, clock, space } = deps;
  if (losses.length > 0) await countFleetAhead(deps);
  const rulings = await rulingsOn(losses, recordedHolds, deps);
  const now = clock.now();
  const counted = losses.filter(({ isUnrecorded }) => isUnrecorded !== true);
  return {
    policy: policyOf(world.mapping),
    rulings,
    budget: counted.some(({ subject }) => !rulings.has(subject)) ? budgetFor(counted, deps, now) : undefined,
    isContended: (subject) => contention.isContended(subject, now),
    freeze: world.freezes.at(now),
    doubt: await doubtFacts(recordedHolds, triggers, deps),
    narrowsOnly: world.narrowsOnly,
    opening: acl.opening,
    isStoreLow: space.isLow(),
  };
}

const OF_PROVIDER: ReadonlySet<CauseKind> = new Set(['webhook', 'poll', 'full-read', 'order']);

/**
 * What may open although the mapping of this leader is in doubt: what only changes at the identity provider since the first
 * complete comparison open. What is held once stays held: a later event about the client does not show what opens it.
 */
async function doubtFacts(
  recordedHolds: KeyRecord['holds'],
  triggers: readonly Pick<Trigger, 'cause'>[],
  { world, journal }: Pick<GuardDeps, 'world' | 'journal'>,
): Promise<MappingDoubtFacts | undefined> {
  const { former, comparedAt } = world.mappingDoubt;
  if (former === undefined) return undefined;
  const isOfProvider =
    comparedAt !== undefined &&
    triggers.length > 0 &&
    triggers.every(({ cause }) => OF_PROVIDER.has(cause.kind) && cause.receivedAt > comparedAt);
  const held = [...recordedHolds.values()].filter(({ reason }) => reason === 'MappingDiffers');
  const subjects = new Set(held.map(({ subject }) => subject));
  return {
    isHeld: (subject) => !isOfProvider || subjects.has(subject),
    approvedBy: await approvalsOf(held, { world, journal }),
  };
}

/** Counts in advance what `fleetBudget` needs. */
async function countFleetAhead(deps: Pick<GuardDeps, 'world' | 'acl' | 'clock'>): Promise<void> {
  await countInSlices((now) => countInferred(deps.world, now, SLICE), deps);
  await countAhead(deps);
}

/** Counts across the fleet. The ACL losses of a key count at least as often as its own plan has them. */
function budgetFor(losses: readonly Loss[], deps: GuardDeps, now: number): RevocationBudget {
  const { window } = deps;
  const counted = aclBudget(deps, now);
  const own = losses.map(({ subject }) => subject).filter(isAclSubject);
  const planned = Math.max(counted.planned, window.rejections.countOf(own, now));
  return {
    ...fleetBudget(deps, now, { ...counted, planned }),
    ...usedHere(
      losses.filter(({ subject }) => !isAclSubject(subject)),
      window,
      now,
    ),
  };
}
