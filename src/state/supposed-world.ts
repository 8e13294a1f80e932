import type { OAuthClient } from '../model/client.js';
import type { ServiceName } from '../model/intention.js';
import type { Mapping } from '../model/rule.js';
import { destinationNames } from '../plan/destination-sources.js';
import { policyOf } from '../plan/mode.js';
import { type ClientOpenings, createOpener } from '../plan/openings.js';
import { type ClientBlock, type ClientId, clientText, serviceText, type World } from '../plan/world.js';
import type { PlannedWorld } from './fleet.js';
import type { WorldState } from './world-state.js';

/** What a simulation assumes: other rules, or another state of one client. */
export interface Supposition {
  readonly rules?: Mapping['rules'];
  readonly client?: { readonly id: ClientId; readonly after: OAuthClient; readonly block?: ClientBlock };
}

/** The world for a plan; in a mode that writes nothing as in one that writes everything, so that the plan has every change. */
export function worldToPlan(world: WorldState): PlannedWorld {
  const { mapping } = world;
  return viewOf(world, policyOf(mapping).writes ? mapping : { ...mapping, mode: 'enforce' });
}

/**
 * The world as it would be, client by client. It shares with the world what stays, and changes nothing there.
 * `destinations` are those whose plan may be another one.
 */
export function* supposing(
  world: WorldState,
  { rules, client }: Supposition,
  now: number,
): Generator<void, PlannedWorld> {
  const { mapping: base } = worldToPlan(world);
  const mapping = rules === undefined ? base : { ...base, rules };
  const open = createOpener(mapping);
  const openings = new Map(world.openings());
  const sources = new Map(world.sourcesByDestination(now));
  const own = new Map<string, Map<string, ServiceName>>();
  const touched = new Map<string, ServiceName>();
  const put = (id: ClientId, after: ClientOpenings) => {
    const before = openings.get(clientText(id));
    openings.set(clientText(id), after);
    const opened = destinationNames(after);
    const claims = world.claimsOn(id, now).filter(({ kind }) => kind !== 'none' && kind !== 'refused');
    for (const { service } of claims)
      for (const name of new Set([...(before === undefined ? [] : destinationNames(before)), ...opened])) {
        const destination = { ...service, name };
        const key = serviceText(destination);
        touched.set(key, destination);
        if (!opened.has(name)) continue;
        const services = own.get(key) ?? new Map(sources.get(key)?.services);
        own.set(key, services.set(serviceText(service), service));
        sources.set(key, { destination, services });
      }
  };
  if (client !== undefined) {
    for (const each of world.destinationsOf(client.id, now)) touched.set(serviceText(each), each);
    put(client.id, open(client.after));
  }
  if (rules !== undefined) {
    for (const provider of mapping.providers)
      for (const [clientId, known] of world.clients(provider)) {
        const id = { provider, clientId };
        if (client !== undefined && clientText(client.id) === clientText(id)) continue;
        const after = open(known);
        if (JSON.stringify(after) !== JSON.stringify(openings.get(clientText(id)))) put(id, after);
        yield;
      }
  }
  const changed = client === undefined ? {} : withClient(world, client);
  return {
    ...viewOf(world, mapping),
    openings: () => openings,
    sourcesByDestination: () => sources,
    destinations: () => [...touched.values()],
    ...(rules === undefined
      ? {}
      : { mappingDoubt: { ...world.mappingDoubt, grantReason: 'MappingChanged' } }),
    view: (at) => ({ ...world.view(at), ...changed }),
  };
}

/** Only these members: the fields of a class are not copied with it. */
function viewOf(world: WorldState, mapping: Mapping): PlannedWorld {
  const { records, userTokens, breakGlass, denies, freezes, mappingDoubt, owned, entries } = world;
  return {
    ...{ mapping, records, userTokens, breakGlass, denies, freezes, mappingDoubt, owned, entries },
    view: world.view,
    protocolOf: world.protocolOf,
    openings: world.openings,
    claimStatuses: (now) => world.claimStatuses(now),
    sourcesByDestination: (now) => world.sourcesByDestination(now),
    destinations: (now) => world.destinations(now),
  };
}

/** A client of a directory that was read completely. */
function withClient(
  world: WorldState,
  { id, after, block }: NonNullable<Supposition['client']>,
): Partial<World> {
  const { directories, clientBlocks } = world.view(0);
  const clients = new Map(directories.get(id.provider)).set(id.clientId, after);
  return {
    directories: new Map(directories).set(id.provider, clients),
    ...(block === undefined ? {} : { clientBlocks: new Map(clientBlocks).set(clientText(id), block) }),
  };
}
