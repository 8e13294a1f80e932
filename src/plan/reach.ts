import type { CallingGatewayKind } from '../model/catalog.js';
import type { Registration } from '../model/registration.js';
import { toShellWord } from '../model/shell-word.js';
import { sidecarRemedy, upstreamRemedy } from './reach-registration.js';

/** A proxy of the source. */
export interface SourceProxy extends Registration {
  readonly upstreams: readonly string[];
  readonly reachesAll: boolean;
  /** By the name of the upstream: the protocol that the registration sets. */
  readonly upstreamProtocols: ReadonlyMap<string, string>;
}

interface Health {
  readonly registered: number;
  readonly passing: number;
}

/** A source that is a gateway: it has routes instead of a sidecar with upstreams. */
interface SourceGateway extends Health {
  readonly kind: CallingGatewayKind;
  readonly routes: readonly { readonly service: string; readonly protocol: string; readonly place: string }[];
}

/** What was read about one call. */
export interface ReachFacts {
  readonly source: string;
  readonly destination: string;
  readonly proxies: readonly SourceProxy[];
  /** The ordinary instances of the source; only if it has no proxy. */
  readonly sourceInstances: readonly Registration[];
  /** Of a name that is registered as a sidecar or a gateway alone: what it is. */
  readonly sourceKind?: string | undefined;
  readonly destinationKind?: string | undefined;
  /** Ports on the node whose registration `registrationToMend` names. */
  readonly takenPorts: ReadonlySet<number>;
  /** Of a source that is a gateway. */
  readonly gateway?: SourceGateway | undefined;
  /** Of the destination, by its service-defaults or the proxy-defaults. */
  readonly protocol: string;
  /** The endpoints of the destination in the mesh. */
  readonly health: Health;
  /** The ordinary instances of the destination; only if it has no endpoint in the mesh. */
  readonly destinationInstances: readonly Registration[];
  /** The terminating gateways of the destination. */
  readonly gateways: readonly (Health & { readonly name: string })[];
  readonly routes: readonly {
    readonly kind: string;
    readonly targets: readonly { readonly service: string; readonly elsewhere?: string }[];
  }[];
  /** The mesh gateways of this datacenter; only if a route leads out of it and the catalog was read. */
  readonly meshGateways?: Health;
}

/** Why an allowed call does not arrive, or not every one. */
export interface Obstacle {
  readonly kind:
    | 'no-sidecar'
    | 'no-upstream'
    | 'no-route'
    | 'protocol'
    | 'no-endpoint'
    | 'unhealthy'
    | 'routed';
  /** Whether no call arrives; otherwise some do. */
  readonly blocks: boolean;
  readonly message: string;
  /** The registration or config entry that mends it. */
  readonly remedy: string;
}

/**
 * | part | what must be there |
 * |---|---|
 * | source | a sidecar, with an upstream of the destination unless its proxy is transparent |
 * | a gateway as source | an instance that passes its health checks, with a route to the destination |
 * | protocol | an upstream without a protocol of its own, or with that of the destination; a listener of its family |
 * | routing | no resolver, splitter or router that sends the calls to another service |
 * | destination | a sidecar, or a terminating gateway, that passes its health checks |
 */
export function obstaclesOf(facts: ReachFacts): readonly Obstacle[] {
  return [
    ...(facts.gateway === undefined ? sourceObstacles(facts) : gatewayObstacles(facts, facts.gateway)),
    ...routeObstacles(facts),
    ...destinationObstacles(facts),
  ];
}

/** Whether every call arrives, some do, or none. */
export type Arrival = 'yes' | 'partly' | 'no';

export function arrivalOf(obstacles: readonly Obstacle[]): Arrival {
  if (obstacles.some(({ blocks }) => blocks)) return 'no';
  return obstacles.length === 0 ? 'yes' : 'partly';
}

/** The registration of the source that lacks a sidecar, or the upstream. */
export function registrationToMend({
  destination,
  proxies,
  sourceInstances,
}: Pick<ReachFacts, 'destination' | 'proxies' | 'sourceInstances'>): Registration | undefined {
  return proxies.length === 0 ? sourceInstances[0] : lackingUpstream(proxies, destination)[0];
}

function lackingUpstream(proxies: readonly SourceProxy[], destination: string): readonly SourceProxy[] {
  return proxies.filter((proxy) => !proxy.reachesAll && !proxy.upstreams.includes(destination));
}

function sourceObstacles({
  source,
  destination,
  proxies,
  sourceInstances,
  sourceKind,
  protocol,
  takenPorts,
}: ReachFacts): readonly Obstacle[] {
  if (proxies.length === 0)
    return [
      {
        kind: 'no-sidecar',
        blocks: true,
        message: `${source} has no sidecar, so it cannot call through the mesh`,
        remedy: sidecarRemedy(source, sourceKind, sourceInstances, [destination], takenPorts),
      },
    ];
  const lacking = lackingUpstream(proxies, destination);
  const [first] = lacking;
  const found: Obstacle[] = [];
  if (first !== undefined)
    found.push({
      kind: 'no-upstream',
      blocks: lacking.length === proxies.length,
      message: `${lacking.length === proxies.length ? 'no sidecar' : `${lacking.length} of ${proxies.length} sidecars`} of ${source} has an upstream of ${destination}, and none of these is a transparent proxy`,
      remedy: upstreamRemedy(first, destination, lacking.length - 1, takenPorts),
    });
  const others = new Set(
    proxies.flatMap(({ upstreamProtocols }) => upstreamProtocols.get(destination)?.toLowerCase() ?? []),
  );
  others.delete(protocol);
  for (const other of others)
    found.push({
      kind: 'protocol',
      blocks: true,
      message: `the upstream of ${source} speaks ${other}, and ${destination} speaks ${protocol}`,
      remedy: `remove protocol from the Config of the upstream, or write the entry ${JSON.stringify({ Kind: 'service-defaults', Name: destination, Protocol: other })}`,
    });
  return found;
}

/** Whether a route leads to the destination. Consul gives a wildcard the services with the protocol of its listener. */
export function leadsTo(
  route: Pick<SourceGateway['routes'][number], 'service' | 'protocol'>,
  destination: string,
  protocol: string,
): boolean {
  return route.service === destination || (route.service === '*' && route.protocol === protocol);
}

function gatewayObstacles(
  { source, destination, protocol }: ReachFacts,
  { kind, routes, registered, passing }: SourceGateway,
): readonly Obstacle[] {
  const found: Obstacle[] = [];
  if (passing === 0)
    found.push({
      kind: registered === 0 ? 'no-endpoint' : 'unhealthy',
      blocks: true,
      message: `the ${kind} ${source} has ${registered === 0 ? 'no instance' : 'no instance that passes its checks'}`,
      remedy: startOf(kind, source, registered > 0),
    });
  const own = routes.filter((route) => leadsTo(route, destination, protocol));
  if (own.length === 0)
    found.push({
      kind: 'no-route',
      blocks: true,
      message: `no route of the ${kind} ${source} leads to ${destination}`,
      remedy: `write ${routeEntryOf(kind, source, destination, protocol)}`,
    });
  const others = own.filter((route) => (route.protocol === 'tcp') !== (protocol === 'tcp'));
  if (others.length > 0)
    found.push({
      kind: 'protocol',
      blocks: others.length === own.length,
      message: `the route of ${source} (${others.map(({ place }) => place).join(', ')}) speaks ${others[0]?.protocol ?? ''}, and ${destination} speaks ${protocol}`,
      remedy: `write ${routeEntryOf(kind, source, destination, protocol)}; or set the protocol of ${destination} in its service-defaults entry`,
    });
  return found;
}

/** Without `-register`, which would take the claim of the gateway from its registration. What is in capitals is to be filled in. */
function startOf(kind: CallingGatewayKind, gateway: string, isRegistered: boolean): string {
  const name = toShellWord(gateway);
  const start = `consul connect envoy -gateway=${kind === 'ingress-gateway' ? 'ingress' : 'api'} -proxy-id ${isRegistered ? 'ID' : name}`;
  return isRegistered
    ? `start the gateway: ${start} (the ID of its instance, which is its name unless it was given another)`
    : `register and start the gateway: consul services register -kind ${kind} -name ${name} -address ADDRESS -port PORT -meta oauth-client-id=CLIENT; ${start}`;
}

/** What to write for a route; the listener's port is to be filled in. */
function routeEntryOf(
  kind: CallingGatewayKind,
  gateway: string,
  serviceName: string,
  protocol: string,
): string {
  const services = [{ Name: serviceName }];
  if (kind === 'ingress-gateway') {
    const listener = { Port: 8080, Protocol: protocol, Services: services };
    return `the listener into the entry of the gateway: ${JSON.stringify({ Kind: kind, Name: gateway, Listeners: [listener] })}`;
  }
  const route = { Name: serviceName, Parents: [{ Kind: kind, Name: gateway }] };
  return `the route: ${JSON.stringify(
    protocol === 'tcp'
      ? { Kind: 'tcp-route', ...route, Services: services }
      : { Kind: 'http-route', ...route, Rules: [{ Services: services }] },
  )}`;
}

function routeObstacles({ source, destination, routes, meshGateways }: ReachFacts): readonly Obstacle[] {
  return routes.flatMap(({ kind, targets }) => {
    const away = targets.filter(
      ({ service, elsewhere }) => service !== destination || elsewhere !== undefined,
    );
    if (away.length === 0) return [];
    const names = [
      ...new Set(
        away.map(({ service, elsewhere }) =>
          elsewhere === undefined ? service : `${service} in ${elsewhere}`,
        ),
      ),
    ].toSorted();
    // A router without a match sends the rest to the service itself.
    const isAll = away.length === targets.length && kind !== 'service-router';
    const remote = [...new Set(away.flatMap(({ elsewhere }) => elsewhere ?? []))].toSorted();
    return {
      kind: 'routed' as const,
      blocks: isAll,
      message: `the ${kind} of ${destination} sends ${isAll ? 'every call' : 'some calls'} to ${names.join(', ')}, whose own intention decides`,
      remedy: `${
        remote.length > 0
          ? `${meshGatewayText(meshGateways)}. The mesh gateways and the intention in ${remote.join(' and ')} cannot be read from here: check them there`
          : `check scopemesh explain ${toShellWord(source)} ${toShellWord(away[0]?.service ?? '')}`
      }, or remove the entry: consul config delete -kind ${kind} -name ${toShellWord(destination)}`,
    };
  });
}

function meshGatewayText(health: Health | undefined): string {
  if (health === undefined) return 'whether this datacenter has a mesh gateway is not known';
  const { registered, passing } = health;
  if (passing > 0) return `${passing} of ${registered} mesh gateways of this datacenter pass their checks`;
  const found =
    registered === 0
      ? 'this datacenter has no mesh gateway'
      : `none of the ${registered} mesh gateways of this datacenter passes its checks`;
  return `${found}, and calls with the MeshGateway mode local need one (consul connect envoy -gateway=mesh -register)`;
}

function destinationObstacles({
  destination,
  destinationInstances,
  destinationKind,
  health,
  gateways,
}: ReachFacts): readonly Obstacle[] {
  const alive = gateways.filter(({ passing }) => passing > 0);
  // Consul gives callers the endpoints of both, so that a service can move into the mesh.
  if (health.registered > 0 && alive.length > 0)
    return [
      {
        kind: 'routed',
        blocks: false,
        message: `calls of ${destination} go to its sidecars and to the terminating gateway ${alive.map(({ name }) => name).join(', ')} alike`,
        remedy: `remove ${destination} (or *) from the Services of the gateway's terminating-gateway entry, unless the service is moving into the mesh`,
      },
    ];
  if (health.passing > 0 || alive.length > 0) return [];
  if (gateways.length > 0)
    return gateways.map(({ name, registered }) => ({
      kind: registered === 0 ? ('no-endpoint' as const) : ('unhealthy' as const),
      blocks: true,
      message: `${destination} is behind the terminating gateway ${name}, which has ${registered === 0 ? 'no instance' : 'no instance that passes its checks'}`,
      remedy: `start the gateway: consul connect envoy -gateway=terminating -register -service ${toShellWord(name)}`,
    }));
  if (health.registered > 0)
    return [
      {
        kind: 'unhealthy',
        blocks: true,
        message: `none of the ${health.registered} endpoints of ${destination} passes its health checks`,
        remedy: `see why: consul catalog nodes -service ${toShellWord(destination)}, and the checks of its sidecar`,
      },
    ];
  return [
    {
      kind: 'no-endpoint',
      blocks: true,
      message: `${destination} has no sidecar and no terminating gateway, so the mesh cannot reach it`,
      remedy: `name it in the terminating-gateway entry of a gateway, or ${sidecarRemedy(destination, destinationKind, destinationInstances, [], new Set())}`,
    },
  ];
}
