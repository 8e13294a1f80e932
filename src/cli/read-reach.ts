import type { Consul } from '../consul/consul.js';
import { mapBounded } from '../map-bounded.js';
import type { ServiceName } from '../model/intention.js';
import { type Obstacle, obstaclesOf } from '../plan/reach.js';
import { serviceText } from '../plan/world.js';

export interface Edge {
  readonly source: ServiceName;
  readonly destination: ServiceName;
}

/** An edge with what keeps its calls from arriving. */
export interface EdgeReach extends Edge {
  readonly obstacles: readonly Obstacle[];
}

export type Reads = Pick<Consul, 'readProxies' | 'reachability'>;

const CONCURRENCY = 8;

/** Reads each service once, however many edges it has. Throws as the ports do. */
export async function readReach(
  edges: readonly Edge[],
  { readProxies, reachability }: Reads,
  protocolOf: (service: ServiceName) => string,
  signal: AbortSignal,
): Promise<readonly EdgeReach[]> {
  const proxies = once((service, stop) => readProxies(service, stop), signal);
  const destinations = once(async (service, stop) => {
    const [health, routes, names] = await Promise.all([
      reachability.readHealth(service, stop),
      reachability.readRoutes(service, stop),
      reachability.readGateways(service, stop),
    ]);
    const gateways = await Promise.all(
      names.map(async (name) => ({
        name,
        ...(await reachability.readGatewayHealth({ ...service, name }, stop)),
      })),
    );
    return { health, routes, gateways };
  }, signal);
  return mapBounded(edges, { width: CONCURRENCY, signal }, async ({ source, destination }) => {
    const [from, to] = await Promise.all([proxies(source), destinations(destination)]);
    const obstacles = obstaclesOf({
      source: source.name,
      destination: destination.name,
      proxies: from,
      protocol: protocolOf(destination),
      ...to,
    });
    return { source, destination, obstacles };
  });
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
