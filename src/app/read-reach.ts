import type { Consul } from '../consul/consul.js';
import type { GatewayKind } from '../consul/reachability.js';
import { mapBounded } from '../limiter.js';
import type { Catalog } from '../model/catalog.js';
import type { ServiceName } from '../model/intention.js';
import { type Obstacle, obstaclesOf, type ReachFacts, registrationToMend } from '../plan/reach.js';
import { serviceText } from '../plan/world.js';
import { protocolIn } from '../state/protocols.js';
import { createKnownServices, type KnownServices } from './known-services.js';
import { readIfAddressable } from './read-gateways.js';

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
    (gateway, stop) => readIfAddressable(reachability.readGatewayHealth(gateway, stop), NONE),
    signal,
  );
  const takenPorts = once(
    (node, stop) => readIfAddressable(reachability.readTakenPorts(node.name, node, stop), new Set()),
    signal,
  );
  const instances = once(
    async (serviceName, stop) =>
      known.lacksInstances(serviceName) ? [] : reachability.readInstances(serviceName, stop),
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
  const sources = once(async (serviceName): Promise<Caller> => {
    const kind = known.gatewayKindOf(serviceName);
    if (kind === undefined) {
      const proxies = proxiesOf(serviceName);
      return {
        proxies,
        sourceInstances: proxies.length > 0 ? [] : await instances(serviceName),
        sourceKind: known.onlyKindOf(serviceName),
      };
    }
    const [found, health] = await Promise.all([entriesAt(kind, serviceName), gatewayHealth(serviceName)]);
    const routes = found.filter(({ name }) => name === serviceName.name).flatMap((entry) => entry.routes);
    return { proxies: [], sourceInstances: [], gateway: { kind, routes, ...health } };
  }, signal);
  const destinations = once(async (serviceName, stop) => {
    const routes = routesOf(serviceName);
    const [health, found] = await Promise.all([
      known.isOutsideMesh(serviceName) ? NONE : reachability.readHealth(serviceName, stop),
      entriesAt('terminating-gateway', serviceName),
    ]);
    const names = found
      .filter(({ routes: linked }) => linked.some((each) => isLinked(each.service, serviceName, known)))
      .map(({ name }) => name);
    const gateways = await Promise.all(
      names.map(async (name) => ({ name, ...(await gatewayHealth({ ...serviceName, name })) })),
    );
    const isOutside = health.registered === 0 && gateways.length === 0;
    const leaves = routes.some(({ targets }) => targets.some(({ elsewhere }) => elsewhere !== undefined));
    return {
      health,
      routes,
      gateways,
      destinationInstances: isOutside ? await instances(serviceName) : [],
      destinationKind: known.onlyKindOf(serviceName),
      ...(leaves && catalog !== undefined
        ? { meshGateways: await meshGateways({ ...serviceName, name: '' }) }
        : {}),
    };
  }, signal);
  return mapBounded(edges, { width: CONCURRENCY, signal }, async ({ source, destination }) => {
    const [from, to] = await Promise.all([sources(source), destinations(destination)]);
    const named = { source: source.name, destination: destination.name };
    const mended = from.gateway === undefined ? registrationToMend({ ...named, ...from }) : undefined;
    const obstacles = obstaclesOf({
      ...named,
      protocol: protocolIn(catalog, destination),
      takenPorts: mended === undefined ? new Set() : await takenPorts({ ...source, name: mended.node }),
      ...from,
      ...to,
    });
    const behind = to.health.registered > 0 ? [] : to.gateways.map(({ name }) => name);
    return { source, destination, obstacles, behind };
  });
}

/** Consul gives a wildcard of a terminating gateway every service that is registered. */
function isLinked(linked: string, serviceName: ServiceName, known: KnownServices): boolean {
  return linked === '*' ? known.hasOrdinary(serviceName) : linked === serviceName.name;
}

type Caller = Pick<ReachFacts, 'proxies' | 'sourceInstances' | 'sourceKind' | 'gateway'>;

/** Reads all services at once, each only once. */
async function byService<T>(
  services: readonly ServiceName[],
  read: (services: readonly ServiceName[]) => Promise<readonly (readonly T[])[]>,
): Promise<(serviceName: ServiceName) => readonly T[]> {
  const asked = new Map(services.map((serviceName) => [serviceText(serviceName), serviceName]));
  const found = await read([...asked.values()]);
  const answers = new Map([...asked.keys()].map((text, at) => [text, found[at] ?? []]));
  return (serviceName) => answers.get(serviceText(serviceName)) ?? [];
}

function once<T>(
  read: (serviceName: ServiceName, signal: AbortSignal) => Promise<T>,
  signal: AbortSignal,
): (serviceName: ServiceName) => Promise<T> {
  const known = new Map<string, Promise<T>>();
  return (serviceName) => {
    const key = serviceText(serviceName);
    const found = known.get(key) ?? read(serviceName, signal);
    known.set(key, found);
    return found;
  };
}
