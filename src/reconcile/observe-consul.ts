import type { Catalog } from '../model/catalog.js';
import type { Cause } from '../model/cause.js';
import type { IntentionEntry, ServiceName } from '../model/intention.js';
import { clientKey, destinationKey } from '../model/key.js';
import type { Trigger } from '../model/trigger.js';
import type { ClaimStanding } from '../plan/claims.js';
import type { Plan } from '../plan/plan.js';
import { serviceText } from '../plan/world.js';
import type { WorldState } from './world-state.js';

/**
 * Takes in a complete catalog; triggers for every claim whose standing changed and every destination whose protocol did.
 * `read` was begun before it.
 */
export function takeCatalog(
  world: WorldState,
  catalog: Catalog,
  now: number,
  cause: Cause,
  read?: number,
): readonly Trigger[] {
  const before = world.standings(now);
  const oldProtocols = new Map(
    world.destinations(now).map((each) => [serviceText(each), world.protocolOf(each)]),
  );
  world.putCatalog(catalog, now, read);
  const others = world.destinations(now).filter((each) => {
    const old = oldProtocols.get(serviceText(each));
    return old !== undefined && old !== world.protocolOf(each);
  });
  return [...standingTriggers(world, before, now, cause), ...toTriggers(others, cause)];
}

/**
 * Triggers for claims whose standing changed since `before`: by the catalog, or because a grace ended. `concerns` says
 * of which new standings.
 */
export function standingTriggers(
  world: WorldState,
  before: ReadonlyMap<string, ClaimStanding>,
  now: number,
  cause: Cause,
  concerns: (standing: ClaimStanding | undefined) => boolean = () => true,
): readonly Trigger[] {
  const after = world.standings(now);
  if (after === before) return [];
  const triggers = new Map<string, Trigger>();
  for (const name of new Set([...before.keys(), ...after.keys()])) {
    const [old, next] = [before.get(name), after.get(name)];
    if (!concerns(next) || JSON.stringify(old) === JSON.stringify(next)) continue;
    const standings = [old, next].flatMap((each) =>
      each === undefined || each.kind === 'none' ? [] : [each],
    );
    for (const { client } of standings) {
      // The client's job tells what is held of its claims and sends its destinations on.
      triggers.set(`client ${client.provider} ${client.clientId}`, {
        key: clientKey(client.provider, client.clientId),
        cause,
        urgent: true,
      });
    }
    const service = next?.service ?? old?.service;
    for (const destination of service === undefined ? [] : world.destinationsHolding(service))
      triggers.set(serviceText(destination), { key: keyOf(destination), cause, urgent: true });
  }
  return [...triggers.values()];
}

/** Takes in a complete list of entries; triggers for what differs from what was known. `read` was begun before it. */
export function takeEntries(
  world: WorldState,
  entries: readonly IntentionEntry[],
  now: number,
  cause: Cause,
  read?: number,
): readonly Trigger[] {
  const changed = world.putEntries(entries, now, read);
  // A wildcard entry decides what takes over everywhere.
  const reached = changed.some((destination) => destination.name === '*') ? world.destinations(now) : [];
  return toTriggers([...changed.filter((destination) => destination.name !== '*'), ...reached], cause);
}

/** `losing`: of which the plan takes something away, by their `serviceText`; they go before what only gains. */
export function toTriggers(
  destinations: readonly ServiceName[],
  cause: Cause,
  losing: ReadonlySet<string> = new Set(),
): readonly Trigger[] {
  return [...new Map(destinations.map((each) => [serviceText(each), each]))].map(([text, each]) => ({
    key: keyOf(each),
    cause,
    ...(losing.has(text) ? { urgent: true } : {}),
  }));
}

/** Destinations at which a plan takes something away, by their `serviceText`. */
export function losingDestinations(plans: readonly Plan[]): ReadonlySet<string> {
  return new Set(
    plans.flatMap(({ key, changes }) =>
      key.kind === 'destination' && changes.some((change) => change.narrows)
        ? [serviceText({ partition: key.partition, namespace: key.namespace, name: key.service })]
        : [],
    ),
  );
}

function keyOf(destination: ServiceName) {
  return destinationKey(destination.name, destination.namespace, destination.partition);
}
