import type { Catalog, ClaimRecord } from '../model/catalog.js';
import type { Cause } from '../model/cause.js';
import type { IntentionEntry, ServiceName } from '../model/intention.js';
import { clientKey, destinationKey, formatKey, type Key } from '../model/key.js';
import type { Trigger } from '../model/trigger.js';
import type { ClaimStatus } from '../plan/claim-status.js';
import type { Plan } from '../plan/plan.js';
import { serviceText } from '../plan/world.js';
import { losesClaim } from './claim-statuses.js';
import { protocolIn } from './protocols.js';
import type { Touched } from './touched.js';
import type { WorldState } from './world-state.js';

/**
 * Applies a complete catalog; returns triggers for every claim whose status changed and every destination whose protocol
 * changed. `read` must begin before the catalog is read.
 */
export function applyCatalog(
  world: WorldState,
  catalog: Catalog,
  now: number,
  cause: Cause,
  read?: number,
): readonly Trigger[] {
  const before = world.catalog;
  const known = new Set(world.destinations(now).map(serviceText));
  const touched = world.putCatalog(catalog, now, read);
  const others = [...touched.destinations].flatMap(([text, { destination }]) =>
    known.has(text) && protocolIn(before, destination) !== world.protocolOf(destination) ? destination : [],
  );
  return [...claimStatusTriggers(world, touched, cause), ...toTriggers(others, cause)];
}

/**
 * Triggers for claims whose status changed. `concerns` selects the new statuses. Only a claim that is lost is urgent: a
 * thousand new claims, which anybody who registers services can make, must delay no event, order or revocation.
 */
export function claimStatusTriggers(
  world: WorldState,
  { claimStatuses }: Pick<Touched, 'claimStatuses'>,
  cause: Cause,
  concerns: (claimStatus: ClaimStatus | undefined) => boolean = () => true,
): readonly Trigger[] {
  const triggers = new Map<string, Trigger>();
  const add = (key: Key, losing: boolean) => {
    const text = formatKey(key);
    const loses = losing || triggers.get(text)?.loses === true;
    triggers.set(text, { key, cause, ...(loses ? { urgent: loses, loses } : {}) });
  };
  for (const { service, before, after, namedBy } of claimStatuses) {
    if (!concerns(after)) continue;
    const losing = losesClaim(before, after);
    for (const each of [before, after]) {
      if (each === undefined || each.kind === 'none') continue;
      // The client's job reports the holds of its claims and triggers its destinations.
      add(clientKey(each.client.provider, each.client.clientId), losing && each === before);
    }
    for (const { provider, clientId } of namedBy) add(clientKey(provider, clientId), false);
    for (const destination of world.owned.holding(service)) add(keyOf(destination), losing);
  }
  return [...triggers.values()];
}

/** Applies a complete list of claim records; returns triggers for every claim whose status changed. */
export function applyClaimRecords(
  world: WorldState,
  records: readonly ClaimRecord[],
  cause: Cause,
  read: number,
): readonly Trigger[] {
  return claimStatusTriggers(world, world.putClaimRecords(records, read), cause);
}

/** Applies a complete list of entries; returns triggers for changed ones. `read` must begin before the list is read. */
export function applyEntries(
  world: WorldState,
  entries: readonly IntentionEntry[],
  now: number,
  cause: Cause,
  read?: number,
): readonly Trigger[] {
  const { destinations } = world.putEntries(entries, now, read);
  return toTriggers(
    [...destinations.values()].map(({ destination }) => destination),
    cause,
  );
}

/** `losing`: destinations, by `serviceText`, at which the plan removes access; they are urgent. */
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

/** Destinations at which a plan removes access, by their `serviceText`. */
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
