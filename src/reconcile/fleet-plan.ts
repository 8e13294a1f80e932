import { type AclFleetPlan, NO_ACL_PLAN } from '../acl/job/plan-fleet-acl.js';
import { entryAfter, sourcesAfter } from '../apply/entry-sources.js';
import type { Intentions } from '../consul/consul.js';
import type { IntentionEntry } from '../model/intention.js';
import { type ClaimChange, guardableClaims, withClaims } from '../plan/claim-changes.js';
import { guard } from '../plan/guards/guards.js';
import { mergeHolds } from '../plan/holds.js';
import { policyOf } from '../plan/mode.js';
import type { Change, Hold, Plan } from '../plan/plan.js';
import type { ClientPlan } from '../plan/plan-client.js';
import { type JwtProviderChange, namedIn } from '../plan/plan-jwt-providers.js';
import { unreadableHolds } from '../plan/unreadable-holds.js';
import { serviceText } from '../plan/world.js';
import { clientsOf, planClaims } from '../state/client-claims.js';
import { type EntrySizes, fleetGuardFacts, planFleet, planningFleet } from '../state/fleet.js';
import type { RevocationWindow } from '../state/revocation-window.js';
import { worldToPlan } from '../state/supposed-world.js';
import type { WorldState } from '../state/world-state.js';
import type { ReconcilerDeps } from './deps.js';
import { planned } from './jwt-provider-plans.js';

/** All changes that would be made now, and all holds. */
export interface FleetPlan {
  readonly claims: readonly ClaimChange[];
  readonly changes: readonly Change[];
  /** Of jwt-provider entries. */
  readonly jwtProviders: readonly JwtProviderChange[];
  /** Of Consul's ACL objects. */
  readonly acl: AclFleetPlan;
  readonly holds: readonly Hold[];
}

/**
 * The plan of the whole fleet in the configured mode. It assumes that the claims and jwt-providers of the plan are
 * written, so that it shows what they open. Without `intentions` no entry counts as too large.
 */
export function planEverything(
  world: WorldState,
  window: RevocationWindow,
  now: number,
  acl: AclFleetPlan = NO_ACL_PLAN,
  intentions?: Pick<Intentions, 'sizeOf'>,
): FleetPlan {
  const sizes: EntrySizes | undefined =
    intentions &&
    (({ destination, entry }, changes) =>
      intentions.sizeOf(
        destination,
        entry,
        sourcesAfter(entry?.sources ?? [], changes, world.mapping.owner),
      ));
  const before = world.claimRecords;
  const clients = clientPlans(world, now);
  const policy = policyOf(world.mapping);
  const records = clients.map((plan) => guardableClaims(plan, policy));
  const facts = fleetGuardFacts([], undefined, { world, window }, now);
  const guarded = records.map((kind) => guard(kind, facts));
  // In `observe` the plan still shows what the records would open.
  const claims = (policy.writes ? guarded : records.map(({ plan }) => plan)).flatMap(
    ({ changes }) => changes,
  );
  if (claims.length > 0) world.putClaimRecords(withClaims(before, claims));
  try {
    const first = planFleet(world, window, now, acl.budget, sizes);
    const written = planned(first, { world }).filter(({ verb }) => verb !== 'deleted');
    const { plans, removed } = world.userTokens.assuming(
      written.flatMap(({ after }) => after ?? []),
      () => {
        const after = written.length === 0 ? first : planFleet(world, window, now, acl.budget, sizes);
        const left = planned(after, { world }, namedIn(intentionsAfter(world, after)));
        return { plans: after, removed: left.filter(({ verb }) => verb === 'deleted') };
      },
    );
    const jwtProviders = [...written, ...removed];
    const holds = [
      ...(claims.length === 0 ? clients : clientPlans(world, now)).flatMap(({ holds: all }) => all),
      ...plans.flatMap((plan) => plan.holds),
      ...acl.holds,
      ...world.mapping.providers.flatMap((each) =>
        unreadableHolds(each, world.directories.unreadableOf(each)),
      ),
    ];
    return {
      claims: guarded.flatMap(({ changes }) => changes),
      changes: plans.flatMap((plan) => plan.changes),
      jwtProviders,
      acl,
      holds: mergeHolds(holds),
    };
  } finally {
    if (claims.length > 0) world.putClaimRecords(before);
  }
}

/**
 * The same in pieces of some milliseconds, for a process that answers others between them. It shows what would be written
 * first: what opens only after a claim or a jwt-provider was written is not in it.
 */
export function* planningEverything(
  { world, window, clock }: Pick<ReconcilerDeps, 'world' | 'window' | 'clock'>,
  acl: AclFleetPlan,
): Generator<void, FleetPlan> {
  const now = clock.now();
  const seen = worldToPlan(world);
  const facts = fleetGuardFacts([], undefined, { world: seen, window }, now);
  const claims: ClaimChange[] = [];
  const holds: Hold[] = [];
  for (const client of clientsOf(world, now)) {
    const plan = planClaims(client, world, now);
    claims.push(...guard(guardableClaims(plan, policyOf(seen.mapping)), facts).changes);
    holds.push(...plan.holds);
    yield;
  }
  const plans = yield* planningFleet(seen, window, () => clock.now(), acl.budget);
  yield;
  return {
    claims,
    changes: plans.flatMap((plan) => plan.changes),
    jwtProviders: planned(plans, { world }),
    acl,
    holds: mergeHolds([
      ...holds,
      ...plans.flatMap((plan) => plan.holds),
      ...acl.holds,
      ...world.mapping.providers.flatMap((each) =>
        unreadableHolds(each, world.directories.unreadableOf(each)),
      ),
    ]),
  };
}

/** Whether anything would be written. */
export function isAnythingToDo({ claims, changes, jwtProviders, acl }: FleetPlan): boolean {
  return claims.length + changes.length + jwtProviders.length + acl.changes.length > 0;
}

/** All intentions after the plan. */
function intentionsAfter(world: WorldState, plans: readonly Plan[]): readonly IntentionEntry[] {
  const changes = new Map(
    plans.flatMap(({ key, changes: all }) =>
      key.kind === 'destination'
        ? [
            [
              serviceText({ partition: key.partition, namespace: key.namespace, name: key.service }),
              all,
            ] as const,
          ]
        : [],
    ),
  );
  return [...world.everyEntry()].map((entry) => {
    const key = serviceText(entry.destination);
    const sources = sourcesAfter(entry.sources, changes.get(key) ?? [], world.mapping.owner);
    return entryAfter(entry, entry.destination, sources, entry.modifyIndex) ?? { ...entry, sources: [] };
  });
}

function clientPlans(world: WorldState, now: number): readonly ClientPlan[] {
  return clientsOf(world, now).map((client) => planClaims(client, world, now));
}
