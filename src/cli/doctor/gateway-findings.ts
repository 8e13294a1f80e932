import type { CallingGateway, Gateways } from '../../app/read-gateways.js';
import type { GatewayRoute } from '../../consul/reachability.js';
import type { DefaultPolicy, ServiceName } from '../../model/intention.js';
import { isSelectedName } from '../../plan/openings.js';
import { isSourceOf } from '../../plan/ownership.js';
import { allowsAnything, deciding } from '../../plan/precedence.js';
import { leadsTo } from '../../plan/reach.js';
import { inputOf } from '../../state/fleet.js';
import type { WorldState } from '../../state/world-state.js';
import { error, type Finding, namesText, notice, ok, warning } from './finding.js';
import { httpNeeds } from './http-needs.js';

/**
 * Routes without an intention, intentions without a route, and entries of gateways that give more than the mapping says. Call
 * it after both sides were read. `sendsTo` has the services that routing entries send the calls of a service to.
 */
export function* gatewayFindings(
  { calling, terminating }: Gateways,
  sendsTo: (serviceName: string) => readonly string[],
  world: WorldState,
  defaultPolicy: DefaultPolicy,
  now: number,
): Iterable<Finding> {
  const routed = calling.map((gateway) => routesOf(gateway, sendsTo, world));
  const unopened = routed.flatMap(({ gateway, explicit }) =>
    explicit.flatMap(({ target, place }) =>
      (isOpen(gateway.service, target, world, now) ?? defaultPolicy === 'allow')
        ? []
        : `${gateway.service.name} -> ${target} (${place})`,
    ),
  );
  const unrouted = routed.flatMap((each) => unroutedEdges(each, world));
  if (calling.length > 0 && unopened.length + unrouted.length === 0)
    yield ok(
      'gateways',
      `every route of ${namesText(calling.map(({ service }) => service.name).toSorted())} has its intention`,
    );
  if (unopened.length > 0)
    yield warning(
      'gateways.unopened',
      `routes of gateways lead to services that no intention opens to the gateway, which refuse every call: ${listText(unopened)}`,
      "give the gateway's client a scope that opens the service, or remove the route; scopemesh explain GATEWAY SERVICE says what is missing",
    );
  if (unrouted.length > 0)
    yield notice(
      'gateways.unrouted',
      `intentions open services to gateways that have no route there: ${listText(unrouted)}`,
      "write the route (scopemesh explain GATEWAY SERVICE prints it), or take the scope from the gateway's client",
    );
  yield* wildcardFindings(calling);
  yield* terminatingFindings(terminating, world);
}

interface Routed {
  readonly gateway: CallingGateway;
  /** Where the routes that name a service lead in the end, without what `select` leaves out. */
  readonly explicit: readonly { readonly target: string; readonly place: string }[];
}

function routesOf(
  gateway: CallingGateway,
  sendsTo: (serviceName: string) => readonly string[],
  { mapping: { select } }: WorldState,
): Routed {
  const found = new Map<string, string>();
  for (const { service, place } of gateway.routes)
    if (service !== '*') for (const target of sendsTo(service)) found.set(target, found.get(target) ?? place);
  const explicit = [...found].map(([target, place]) => ({ target, place }));
  return {
    gateway,
    explicit: explicit.filter(
      ({ target }) => select?.hasService({ ...gateway.service, name: target }) !== false,
    ),
  };
}

/** By the most exact intention; undefined if none matches. */
function isOpen(source: ServiceName, target: string, world: WorldState, now: number): boolean | undefined {
  const { entry, wildcard } = inputOf(world, { ...source, name: target }, now);
  const found = deciding(source, entry, wildcard);
  return found && allowsAnything(found.access);
}

function unroutedEdges({ gateway, explicit }: Routed, world: WorldState): readonly string[] {
  const { service, routes } = gateway;
  const targets = new Set(explicit.map(({ target }) => target));
  const isRouted = (destination: ServiceName) =>
    targets.has(destination.name) ||
    routes.some((route) => leadsTo(route, destination.name, world.protocolOf(destination)));
  return [...world.entries.values()]
    .filter(
      ({ destination, sources }) =>
        destination.name !== '*' &&
        world.mapping.select?.hasService(destination) !== false &&
        sources.some(
          (source) =>
            source.peer === undefined && isSourceOf(source, service) && allowsAnything(source.access),
        ) &&
        !isRouted(destination),
    )
    .map(({ destination }) => `${service.name} -> ${destination.name}`);
}

function* wildcardFindings(calling: readonly CallingGateway[]): Iterable<Finding> {
  const names = calling.flatMap(({ service, routes }) =>
    routes.flatMap((route) => (route.service === '*' ? `${service.name} (${route.place})` : [])),
  );
  if (names.length > 0)
    yield warning(
      'gateways.wildcard',
      `gateways route to every service of the listener's protocol, so that each further intention is at once open to their callers: ${listText(names)}`,
      'name the services in the entry of the gateway',
    );
}

function* terminatingFindings(terminating: Gateways['terminating'], world: WorldState): Iterable<Finding> {
  const links = terminating.flatMap(({ name, routes }) =>
    routes
      .filter(({ service }) => service === '*' || isSelectedName(service, world.mapping))
      .map((route) => ({ ...route, gateway: name })),
  );
  if (links.length === 0) return;
  const inMesh = new Set(
    (world.catalog?.services ?? []).flatMap(({ instances }) =>
      instances.flatMap(({ proxyOf }) => proxyOf ?? []),
    ),
  );
  const textOf = ({ service, gateway }: GatewayRoute & { readonly gateway: string }) =>
    `${service} (${gateway})`;
  const mixed = links.filter(({ service }) => (service === '*' ? inMesh.size > 0 : inMesh.has(service)));
  const needs = httpNeeds(world);
  const needing = new Set([...(needs.get('user')?.keys() ?? []), ...(needs.get('human')?.keys() ?? [])]);
  const unverified = links.flatMap((link) =>
    [...needing]
      .filter((name) => link.service === '*' || link.service.toLowerCase() === name.toLowerCase())
      .map((serviceName) => textOf({ ...link, service: serviceName })),
  );
  const behind = links.filter((link) => !mixed.includes(link));
  if (behind.length > 0)
    yield ok(
      'gateways.terminating',
      `terminating gateways enforce the intentions of: ${listText(behind.map(textOf))}`,
    );
  if (mixed.length > 0)
    yield warning(
      'gateways.mixed',
      `terminating gateways also receive calls of services that have sidecars, and see them in clear: ${listText(mixed.map(textOf))}`,
      "remove the service, or *, from the Services of the gateway's terminating-gateway entry, unless it is moving into the mesh",
    );
  if (unverified.length > 0)
    yield error(
      'gateways.user',
      `rules ask for a user's token at services behind a terminating gateway, which verifies none, so scopemesh opens nothing there (UserTokenUnenforceable): ${listText(unverified)}`,
      "give the service a sidecar and remove it, or *, from the Services of the gateway's terminating-gateway entry; or write its rule without user: required",
    );
}

function listText(names: readonly string[]): string {
  return namesText([...new Set(names)].toSorted());
}
