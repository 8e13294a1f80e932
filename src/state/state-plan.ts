import { isDeepStrictEqual } from 'node:util';
import type { IntentionEntry, ServiceName } from '../model/intention.js';
import { formatKey } from '../model/key.js';
import type { DestinationInput } from '../plan/destination-input.js';
import type { Change, Plan } from '../plan/plan.js';
import { planDestination } from '../plan/plan-destination.js';
import { isStillPlanned } from '../plan/still-planned.js';
import { serviceText } from '../plan/world.js';
import { inputOf } from './fleet.js';
import type { WorldState } from './world-state.js';

/** The plan of a destination, and what it was made from. */
export interface StatePlan {
  readonly plan: Plan;
  readonly input: DestinationInput;
  readonly facts: Facts;
}

/** The facts of a plan beside the entry: the same objects until one of them changes. */
interface Facts {
  readonly claimsVersion: number;
  readonly userTokens: unknown;
  readonly wildcard: IntentionEntry | undefined;
}

/** `given`: what the job knows better than the state. */
export function planByState(
  world: WorldState,
  destination: ServiceName,
  given: Partial<DestinationInput>,
  now: number,
): StatePlan {
  const input = { ...inputOf(world, destination, now), ...given };
  return { plan: planDestination(input), input, facts: factsOf(world, destination) };
}

/** Whether a part of a plan may still be written: what it follows from is the same, or the plan of now agrees. */
export function isPlannedNow(
  part: readonly Change[],
  made: StatePlan,
  world: WorldState,
  now: number,
): boolean {
  return hasSameFacts(made, world) || isStillPlanned(part, made.plan, planAgain(made, world, now));
}

/**
 * Whether the plan from what Consul has now makes the same changes of these edges, and needs no other narrowing one.
 * `unguarded`: of the plan, without the guards.
 */
export function isPlannedFrom(
  { entry, wildcard }: Pick<DestinationInput, 'entry' | 'wildcard'>,
  part: readonly Change[],
  { unguarded, ...made }: StatePlan & { readonly unguarded: Plan },
  world: WorldState,
  now: number,
): boolean {
  const facts = factsOf(world, made.input.destination);
  const fresh = planAgain({ ...made, input: { ...made.input, entry, wildcard }, facts }, world, now);
  const [here, there] = [fresh, unguarded].map(
    ({ changes }) => new Map(changes.map((change) => [change.subject, change])),
  );
  const isSame = ({ subject }: Change) => isDeepStrictEqual(here?.get(subject), there?.get(subject));
  return part.every(isSame) && isStillPlanned(part, made.plan, fresh);
}

/** Whether the plan of now is the same, without the guards. Most changes of the facts concern other destinations. */
export function isPlannedAgain(made: StatePlan, unguarded: Plan, world: WorldState, now: number): boolean {
  return hasSameFacts(made, world) || isDeepStrictEqual(planAgain(made, world, now), unguarded);
}

/** By the facts of now, from the same entry. */
function planAgain({ plan, input, facts }: StatePlan, world: WorldState, now: number): Plan {
  const { destination, entry, evidence, grantReason, openingReasons } = input;
  const { wildcard: shown } = factsOf(world, destination);
  // The plan may know a newer one than the watch has shown.
  const wildcard = shown === facts.wildcard ? input.wildcard : shown;
  const lastApplied = world.records.of(formatKey(plan.key));
  const given = { entry, evidence, grantReason, openingReasons, wildcard, lastApplied };
  return planByState(world, destination, given, now).plan;
}

function factsOf(world: WorldState, destination: ServiceName): Facts {
  const wildcard = world.entries.get(serviceText({ ...destination, name: '*' }));
  return { claimsVersion: world.claimsVersion, userTokens: world.userTokens.facts, wildcard };
}

/** If so, all that follows from them is the same, also edges that are gone and what guards count. */
export function hasSameFacts({ input, facts }: StatePlan, world: WorldState): boolean {
  const now = factsOf(world, input.destination);
  return (
    now.claimsVersion === facts.claimsVersion &&
    now.userTokens === facts.userTokens &&
    now.wildcard === facts.wildcard
  );
}
