import type { Consul } from '../consul/consul.js';
import type { GatewayKind } from '../consul/reachability.js';
import { mapBounded } from '../map-bounded.js';
import type { Catalog } from '../model/catalog.js';
import type { ServiceName } from '../model/intention.js';
import { type Obstacle, obstaclesOf, type ReachFacts } from '../plan/reach.js';
import { serviceText } from '../plan/world.js';
import { protocolIn } from '../state/protocols.js';
import { createKnownServices, type KnownServices } from './known-services.js';
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

const NONE = { registered: 0, passing: 0 };

/**
 * Reads each service and each kind of gateway once, however many edges it has. `isFiltered`: a selection took services out of the
 * catalog. Throws as the ports do.
 */
export async function readReach(
  edges: readonly Edge[],
  { readProxies, reachability }: Reads,
  catalog: Catalog | undefined,
  signal: AbortSignal,
  isFiltered = false,
): Promise<readonly EdgeReach[]> {
  const known = createKnownServices(catalog, isFiltered);
  const gatewaysOf = (kind: GatewayKind) =>
    once((place, stop) => reachability.readGateways(kind, place, stop), signal);
  const entries = {
    'ingress-gateway': gatewaysOf('ingress-gateway'),
    'api-gateway': gatewaysOf('api-gateway'),
    'terminating-gateway': gatewaysOf('terminating-gateway'),
  };
  const entriesAt = (kind: GatewayKind, place: ServiceName) => entries[kind]({ ...place, name: '' });
  const gatewayHealth = once(
    (gateway, stop) => orUnnameable(reachability.readGatewayHealth(gateway, stop), NONE),
    signal,
  );
  const instances = once(
    async (service, stop) => (known.lacksInstances(service) ? [] : reachability.readInstances(service, stop)),
    signal,
  );
  const meshGateways = once(async () => {
    const found = await mapBounded(known.meshGateways(), { width: CONCURRENCY, signal }, (name) =>
      gatewayHealth(name),
    );
    return found.reduce(
      (sum, each) => ({
        registered: sum.registered + each.registered,
        passing: sum.passing + each.passing,
      }),
      NONE,
    );
  }, signal);
  const callers = edges
    .map(({ source }) => source)
    .filter((source) => known.gatewayKindOf(source) === undefined);
  const [proxiesOf, routesOf] = await Promise.all([
    byService(
      callers.filter((source) => !known.isOutsideMesh(source)),
      (services) => readProxies(services, signal),
    ),
    byService(
      edges.map(({ destination }) => destination),
      (services) => reachability.readRoutes(services, signal),
    ),
  ]);
  const sources = once(async (service): Promise<Caller> => {
    const kind = known.gatewayKindOf(service);
    if (kind === undefined) {
      const proxies = proxiesOf(service);
      return {
        proxies,
        sourceInstances: proxies.length > 0 ? [] : await instances(service),
        sourceKind: known.onlyKindOf(service),
      };
    }
    const [found, health] = await Promise.all([entriesAt(kind, service), gatewayHealth(service)]);
    const routes = found.filter(({ name }) => name === service.name).flatMap((entry) => entry.routes);
    return { proxies: [], sourceInstances: [], gateway: { kind, routes, ...health } };
  }, signal);
  const destinations = once(async (service, stop) => {
    const routes = routesOf(service);
    const [health, found] = await Promise.all([
      known.isOutsideMesh(service) ? NONE : reachability.readHealth(service, stop),
      entriesAt('terminating-gateway', service),
    ]);
    const names = found
      .filter(({ routes: linked }) => linked.some((each) => isLinked(each.service, service, known)))
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
      destinationKind: known.onlyKindOf(service),
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
function isLinked(linked: string, service: ServiceName, known: KnownServices): boolean {
  return linked === '*' ? known.hasOrdinary(service) : linked === service.name;
}

type Caller = Pick<ReachFacts, 'proxies' | 'sourceInstances' | 'sourceKind' | 'gateway'>;

/** Reads all services at once, each only once. */
async function byService<T>(
  services: readonly ServiceName[],
  read: (services: readonly ServiceName[]) => Promise<readonly (readonly T[])[]>,
): Promise<(service: ServiceName) => readonly T[]> {
  const asked = new Map(services.map((service) => [serviceText(service), service]));
  const found = await read([...asked.values()]);
  const answers = new Map([...asked.keys()].map((text, at) => [text, found[at] ?? []]));
  return (service) => answers.get(serviceText(service)) ?? [];
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
