import type { Consul } from '../consul/consul.js';
import type { GatewayKind } from '../consul/reachability.js';
import { mapBounded } from '../map-bounded.js';
import { type Catalog, gatewayKindIn } from '../model/catalog.js';
import type { ServiceName } from '../model/intention.js';
import { type Obstacle, obstaclesOf, type ReachFacts } from '../plan/reach.js';
import { serviceText } from '../plan/world.js';
import { protocolIn } from '../state/protocols.js';
import { orUnnameable } from './read-gateways.js';

export interface Edge {
  readonly source: ServiceName;
  readonly destination: ServiceName;
}

/** An edge with what keeps its calls from arriving. */
export interface EdgeReach extends Edge {
  readonly obstacles: readonly Obstacle[];
  /** The terminating gateways that enforce the intentions of a destination without a sidecar. */
  readonly behind: readonly string[];
}

export type Reads = Pick<Consul, 'readProxies' | 'reachability'>;

const CONCURRENCY = 8;

/** Reads each service and each kind of gateway once, however many edges it has. Throws as the ports do. */
export async function readReach(
  edges: readonly Edge[],
  { readProxies, reachability }: Reads,
  catalog: Catalog | undefined,
  signal: AbortSignal,
): Promise<readonly EdgeReach[]> {
  const gatewaysOf = (kind: GatewayKind) =>
    once((place, stop) => reachability.readGateways(kind, place, stop), signal);
  const entries = {
    'ingress-gateway': gatewaysOf('ingress-gateway'),
    'api-gateway': gatewaysOf('api-gateway'),
    'terminating-gateway': gatewaysOf('terminating-gateway'),
  };
  const entriesAt = (kind: GatewayKind, place: ServiceName) => entries[kind]({ ...place, name: '' });
  const nowhere = { registered: 0, passing: 0 };
  const gatewayHealth = once(
    (gateway, stop) => orUnnameable(reachability.readGatewayHealth(gateway, stop), nowhere),
    signal,
  );
  const instances = once((service, stop) => reachability.readInstances(service, stop), signal);
  const gatewayNames = (catalog?.services ?? []).flatMap(({ name, instances: all }) =>
    all.some(({ kind }) => kind === 'mesh-gateway') ? name : [],
  );
  const meshGateways = once(async () => {
    const found = await mapBounded(gatewayNames, { width: CONCURRENCY, signal }, (name) =>
      gatewayHealth(name),
    );
    return found.reduce(
      (sum, each) => ({
        registered: sum.registered + each.registered,
        passing: sum.passing + each.passing,
      }),
      nowhere,
    );
  }, signal);
  const sources = once(async (service, stop): Promise<Caller> => {
    const kind = gatewayKindIn(catalog, service);
    if (kind === undefined) {
      const proxies = await readProxies(service, stop);
      return {
        proxies,
        sourceInstances: proxies.length > 0 ? [] : await instances(service),
        sourceKind: onlyKindIn(catalog, service),
      };
    }
    const [found, health] = await Promise.all([entriesAt(kind, service), gatewayHealth(service)]);
    const routes = found.filter(({ name }) => name === service.name).flatMap((entry) => entry.routes);
    return { proxies: [], sourceInstances: [], gateway: { kind, routes, ...health } };
  }, signal);
  const destinations = once(async (service, stop) => {
    const [health, routes, found] = await Promise.all([
      reachability.readHealth(service, stop),
      reachability.readRoutes(service, stop),
      entriesAt('terminating-gateway', service),
    ]);
    const names = found
      .filter(({ routes: linked }) => linked.some((each) => isLinked(each.service, service, catalog)))
      .map(({ name }) => name);
    const gateways = await Promise.all(
      names.map(async (name) => ({ name, ...(await gatewayHealth({ ...service, name })) })),
    );
    const isOutside = health.registered === 0 && gateways.length === 0;
    const leaves = routes.some(({ targets }) => targets.some(({ elsewhere }) => elsewhere !== undefined));
    return {
      health,
      routes,
      gateways,
      destinationInstances: isOutside ? await instances(service) : [],
      destinationKind: onlyKindIn(catalog, service),
      ...(leaves && catalog !== undefined
        ? { meshGateways: await meshGateways({ ...service, name: '' }) }
        : {}),
    };
  }, signal);
  return mapBounded(edges, { width: CONCURRENCY, signal }, async ({ source, destination }) => {
    const [from, to] = await Promise.all([sources(source), destinations(destination)]);
    const obstacles = obstaclesOf({
      source: source.name,
      destination: destination.name,
      protocol: protocolIn(catalog, destination),
      ...from,
      ...to,
    });
    const behind = to.health.registered > 0 ? [] : to.gateways.map(({ name }) => name);
    return { source, destination, obstacles, behind };
  });
}

/** Consul gives a wildcard of a terminating gateway every service that is registered. */
function isLinked(linked: string, { name }: ServiceName, catalog: Catalog | undefined): boolean {
  if (linked !== '*') return linked === name;
  return (
    catalog?.services.some(
      (each) => each.name.name === name && each.instances.some(({ kind }) => kind === ''),
    ) ?? false
  );
}

type Caller = Pick<ReachFacts, 'proxies' | 'sourceInstances' | 'sourceKind' | 'gateway'>;

/** What the name is if it has no ordinary instance: a sidecar or a gateway. */
function onlyKindIn(catalog: Catalog | undefined, service: ServiceName): string | undefined {
  const kinds = catalog?.services
    .find(({ name }) => name.name === service.name)
    ?.instances.map(({ kind }) => kind);
  return kinds?.every((kind) => kind !== '') ? kinds[0] : undefined;
}

function once<T>(
  read: (service: ServiceName, signal: AbortSignal) => Promise<T>,
  signal: AbortSignal,
): (service: ServiceName) => Promise<T> {
  const known = new Map<string, Promise<T>>();
  return (service) => {
    const key = serviceText(service);
    const found = known.get(key) ?? read(service, signal);
    known.set(key, found);
    return found;
  };
}
