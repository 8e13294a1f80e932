import { compareText } from '../model/compare-text.js';
import type { ServiceName } from '../model/intention.js';
import type { Evidence } from '../model/trigger.js';
import type { DestinationInput } from '../plan/destination-input.js';
import { guardableEdges } from '../plan/guards/edges.js';
import type { GuardFacts, Loss, RevocationBudget } from '../plan/guards/guard.js';
import { guard } from '../plan/guards/guards.js';
import { destinationShare, revocationLimit } from '../plan/guards/revocation-limit.js';
import { policyOf } from '../plan/mode.js';
import type { Change, Plan } from '../plan/plan.js';
import { planDestination } from '../plan/plan-destination.js';
import { providersWrittenBy } from '../plan/plan-jwt-providers.js';
import { parseServiceText, serviceText } from '../plan/world.js';
import type { RevocationWindow } from './revocation-window.js';
import type { WorldState } from './world-state.js';

/** The ACL objects that the revocation limit counts: one per client and one per membership of a person. */
export interface AclBudget {
  readonly owned: number;
  /** Clients and memberships that the current plans would remove as inferred losses. */
  readonly planned: number;
  /**
   * Those of them that the window counts already, because their removal was made in part; less those that nothing counts,
   * because their removal is under way and no plan has them any more.
   */
  readonly begun: number;
}

export const NO_ACL: AclBudget = { owned: 0, planned: 0, begun: 0 };

/** What plans read of the world. A simulation has another one than the daemon. */
export type PlannedWorld = Pick<
  WorldState,
  | 'mapping'
  | 'view'
  | 'claimStatuses'
  | 'openings'
  | 'sourcesByDestination'
  | 'destinations'
  | 'entries'
  | 'owned'
  | 'protocolOf'
  | 'records'
  | 'breakGlass'
  | 'denies'
  | 'freezes'
  | 'mappingDoubt'
> & { readonly userTokens: Pick<WorldState['userTokens'], 'facts'> };

/** The input of one destination's plan, from the last read state. */
export function inputOf(
  world: PlannedWorld,
  destination: ServiceName,
  now: number,
  facts: {
    readonly evidence?: readonly Evidence[];
    readonly grantReason?: DestinationInput['grantReason'];
    readonly lastApplied?: ReadonlyMap<string, string>;
    readonly openingReasons?: DestinationInput['openingReasons'];
  } = {},
): DestinationInput {
  const records = world.records.recordsOf(destination);
  return {
    destination,
    mapping: world.mapping,
    world: world.view(now),
    claimStatuses: world.claimStatuses(now),
    openings: world.openings(),
    sourcesByDestination: world.sourcesByDestination(now),
    entry: world.entries.get(serviceText(destination)),
    wildcard: world.entries.get(serviceText({ ...destination, name: '*' })),
    protocol: world.protocolOf(destination),
    userTokens: world.userTokens.facts,
    breakGlass: { grants: world.breakGlass.of(destination), now: world.breakGlass.timeAt(now) },
    denies: { rulings: world.denies.of(destination), now },
    unrecorded: records.unrecorded,
    lastApplied: facts.lastApplied ?? records.lastApplied,
    evidence: facts.evidence ?? [],
    openingReasons: facts.openingReasons ?? new Map(),
    grantReason: facts.grantReason ?? world.mappingDoubt.grantReason,
  };
}

/** How many bytes the entry of a destination has after these changes. */
export type EntrySizes = (input: DestinationInput, changes: readonly Change[]) => number;

/**
 * The plans of all destinations, guarded together. `plan` prints them and a sweep compares them. Without `sizes` no entry
 * counts as too large.
 */
export function planFleet(
  world: PlannedWorld,
  window: RevocationWindow,
  now: number,
  acl?: AclBudget,
  sizes?: EntrySizes,
): readonly Plan[] {
  const planning = planningFleet(world, window, () => now, acl, sizes);
  for (;;) {
    const { done, value } = planning.next();
    if (done) return value;
  }
}

/**
 * The same destination by destination, for a process that has to answer others between them. The state may change
 * between two pieces, so what changes must be planned again. Each piece asks `clock` for the time: to the state an earlier
 * time than the last one means that the clock was set back. `isLeft`: destinations that are not planned here.
 */
export function* planningFleet(
  world: PlannedWorld,
  window: RevocationWindow,
  clock: () => number,
  acl?: AclBudget,
  sizes?: EntrySizes,
  isLeft: (destination: ServiceName) => boolean = () => false,
): Generator<void, readonly Plan[]> {
  let now = clock();
  // Sorted, because the state has them in the order of discovery.
  const destinations = world
    .destinations(now)
    .toSorted((a, b) => compareText(serviceText(a), serviceText(b)));
  const plans: { readonly input: DestinationInput; readonly plan: Plan }[] = [];
  for (const destination of destinations) {
    if (!isLeft(destination)) {
      const input = inputOf(world, destination, now);
      plans.push({ input, plan: planDestination(input) });
    }
    yield;
    now = clock();
  }
  const plannedIn = (share: number) =>
    plans.reduce(
      (sum, { plan }) => sum + Math.min(window.rejections.countOf(inferredIn(plan), now), share),
      0,
    );
  const budget = budgetOf(world, window, now, plannedIn, acl);
  const guarded: Plan[] = [];
  for (const { input, plan } of plans) {
    const kind = guardableEdges(plan, sizes && ((changes) => sizes(input, changes)));
    const here = { ...budget, ...usedHere(kind.losses, window, now) };
    const { changes, holds } = guard(kind, fleetGuardFacts(kind.losses, here, { world, window }, now));
    const names = plan.changes.flatMap(providersWrittenBy);
    const named = names.length === 0 ? {} : { names };
    guarded.push({ ...plan, changes, holds, ...named });
    yield;
    now = clock();
  }
  return guarded;
}

/** The plan of one destination as `planFleet` has it, by the counts that the state keeps of the others. */
export function planInFleet(
  world: WorldState,
  window: RevocationWindow,
  destination: ServiceName,
  now: number,
): Plan {
  const plan = planDestination(inputOf(world, destination, now));
  const plannedIn = (share: number) => inferredAcrossFleet(world, window, now, share);
  const kind = guardableEdges(plan);
  const budget = { ...budgetOf(world, window, now, plannedIn), ...usedHere(kind.losses, window, now) };
  const { changes, holds } = guard(kind, fleetGuardFacts(kind.losses, budget, { world, window }, now));
  return { ...plan, changes, holds };
}

/** Nothing shows who approved it, or that the identity provider changed it. Its job knows. */
const ALL_HELD = { isHeld: () => true, approvedBy: () => undefined };

/** The guard facts for plans of the whole fleet, which use rejections but no approvals and no earlier plan. */
export function fleetGuardFacts(
  losses: readonly Loss[],
  budget: RevocationBudget | undefined,
  {
    world,
    window,
  }: {
    readonly world: Pick<PlannedWorld, 'mapping' | 'freezes' | 'mappingDoubt'>;
    readonly window: RevocationWindow;
  },
  now: number,
): GuardFacts {
  const rulings = losses.flatMap(({ subject }) => {
    const rejection = window.rejections.of(subject);
    return rejection === undefined
      ? []
      : [[subject, { ...rejection, verdict: 'rejected' as const }] as const];
  });
  return {
    policy: policyOf(world.mapping),
    rulings: new Map(rulings),
    recordedHolds: window.recordedHolds,
    budget,
    isContended: () => false,
    freeze: world.freezes.at(now),
    ...(world.mappingDoubt.former === undefined ? {} : { doubt: ALL_HELD }),
    opening: new Set(),
    isStoreLow: false,
  };
}

/** What the destination of these edges uses of the limit. */
export function usedHere(
  edges: readonly Pick<Loss, 'subject' | 'isUnrecorded'>[],
  window: RevocationWindow,
  now: number,
): Pick<RevocationBudget, 'here'> {
  const subjects = edges.flatMap(({ subject, isUnrecorded }) => (isUnrecorded === true ? [] : subject));
  const [first] = subjects;
  if (first === undefined) return {};
  const prefix = first.slice(0, first.lastIndexOf('/') + 1);
  const used = window.usedOf((subject) => subject.startsWith(prefix), now);
  return { here: { used, planned: window.rejections.countOf(subjects, now) } };
}

/**
 * Counts the inferred losses of touched destinations: at most `limit` destinations; false if more are left. Each is
 * planned, which takes about 0.1 ms.
 */
export function countInferred(world: WorldState, now: number, limit?: number): boolean {
  // The end of a grace touches destinations.
  world.claimStatuses(now);
  return world.inferredEdges.update(
    () => world.destinations(now).map(serviceText),
    (key) => inferredIn(planDestination(inputOf(world, parseServiceText(key), now))),
    limit,
  );
}

/** The number of inferred removals of edges that the whole fleet has now, at most `share` of a destination. */
export function inferredAcrossFleet(
  world: WorldState,
  window: RevocationWindow,
  now: number,
  share = Number.POSITIVE_INFINITY,
): number {
  countInferred(world, now);
  return window.rejections.countIn(world.inferredEdges, now, share);
}

/** The same without these destinations, which a caller counts itself. */
export function inferredElsewhere(
  world: WorldState,
  window: RevocationWindow,
  destinations: Iterable<ServiceName>,
  now: number,
): number {
  const here = [...destinations].reduce(
    (sum, each) => sum + world.inferredEdges.countOf(serviceText(each)),
    0,
  );
  return Math.max(0, inferredAcrossFleet(world, window, now) - here);
}

/**
 * `plannedIn`: the planned removals, if a destination counts at most so many. `acl`: the counts of ACL objects, which are
 * added to those of edges.
 */
export function budgetOf(
  world: Pick<PlannedWorld, 'mapping' | 'owned'>,
  window: RevocationWindow,
  now: number,
  plannedIn: (share: number) => number,
  acl: AclBudget = NO_ACL,
): RevocationBudget {
  // Each counts once: while a plan has it, by the plan.
  const used = window.used(now) - acl.begun;
  const { maxRevocations } = world.mapping;
  const ownedAtStart = world.owned.count + acl.owned + used;
  const share = destinationShare(revocationLimit({ maxRevocations, ownedAtStart }));
  const lost = used + plannedIn(Number.POSITIVE_INFINITY) + acl.planned;
  return { used, planned: plannedIn(share) + acl.planned, lost, ownedAtStart, maxRevocations };
}

function inferredIn({ changes }: Plan): readonly string[] {
  return changes.filter((change) => change.isInferred).map(({ subject }) => subject);
}
