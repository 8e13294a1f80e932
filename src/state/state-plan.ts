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

/** What is known of a destination's entry and its wildcard entry. */
export interface EntryNow {
  readonly entry: IntentionEntry | undefined;
  readonly wildcard: IntentionEntry | undefined;
  /** The wildcard entry that the watch had shown by then: once it shows another, that one counts. */
  readonly shown: IntentionEntry | undefined;
}

/** The plan of a destination, and what it was made from. */
export interface StatePlan {
  readonly plan: Plan;
  /** The plan, whatever the guards make of it. */
  readonly unguarded: Plan;
  readonly input: DestinationInput;
  readonly from: EntryNow;
  /** What it was made from beside the entry: the same values until one of them changes. */
  readonly facts: readonly unknown[];
}

/** The entry as it is given, and the wildcard entry as the watch shows it. */
export function knownNow(
  { entries }: Pick<WorldState, 'entries'>,
  destination: ServiceName,
  entry: IntentionEntry | undefined,
): EntryNow {
  const shown = entries.get(serviceText({ ...destination, name: '*' }));
  return { entry, wildcard: shown, shown };
}

/** `given`: what the job knows better than the state. */
export function planByState(
  world: WorldState,
  destination: ServiceName,
  from: EntryNow,
  given: Partial<DestinationInput>,
  now: number,
): StatePlan {
  const { entry } = from;
  const { shown } = knownNow(world, destination, entry);
  const wildcard = shown === from.shown ? from.wildcard : shown;
  const input = { ...inputOf(world, destination, now), ...given, entry, wildcard };
  const made = planDestination(input);
  return { plan: made, unguarded: made, input, from, facts: factsOf(world, destination, now) };
}

/**
 * Whether a part of a plan may still be written: all that it follows from is the same, or the plan of now makes the same
 * changes of these edges and needs no other narrowing one. If Consul has other entries, it must be the same plan. Another
 * mapping, or a freeze, is for the guards.
 */
export function isPlannedNow(
  part: readonly Change[],
  made: StatePlan,
  from: EntryNow,
  world: WorldState,
  now: number,
): boolean {
  if (hasSameFacts(made, world, now) && isSameNow(from, made.from)) return true;
  const { destination, mapping, evidence, grantReason, openingReasons } = made.input;
  if (world.mapping !== mapping || isFrozen(world, now) !== made.facts.at(-1)) return false;
  const lastApplied = world.records.of(formatKey(made.plan.key));
  const given = { evidence, grantReason, openingReasons, lastApplied };
  const fresh = planByState(world, destination, from, given, now).plan;
  // What this read finds new in Consul is known from now on, so that no watch reports it any more.
  if (!isSameNow(from, made.from)) return isDeepStrictEqual(fresh, made.unguarded);
  const [here, there] = [fresh, made.unguarded].map(
    ({ changes }) => new Map(changes.map((change) => [change.subject, change])),
  );
  const isSame = ({ subject }: Change) => isDeepStrictEqual(here?.get(subject), there?.get(subject));
  return part.every(isSame) && isStillPlanned(part, made.plan, fresh);
}

/** If so, all that follows from them is the same, also edges that are gone and what guards count. */
export function hasSameFacts({ input, facts }: StatePlan, world: WorldState, now: number): boolean {
  return factsOf(world, input.destination, now).every((fact, at) => fact === facts[at]);
}

/** Whether Consul has the same, by its index. After a write of our own it is unknown until the watch shows it. */
export function isSameNow(a: EntryNow, b: EntryNow): boolean {
  return isSameEntry(a.entry, b.entry) && isSameEntry(a.wildcard, b.wildcard);
}

function isSameEntry(a: IntentionEntry | undefined, b: IntentionEntry | undefined): boolean {
  return a === b || (a !== undefined && a.modifyIndex !== 0 && a.modifyIndex === b?.modifyIndex);
}

function factsOf(world: WorldState, destination: ServiceName, now: number): readonly unknown[] {
  const { shown } = knownNow(world, destination, undefined);
  return [world.claimsVersion, world.userTokens.facts, shown, world.mapping, isFrozen(world, now)];
}

function isFrozen(world: WorldState, now: number): boolean {
  return world.freezes.at(now) !== undefined;
}
