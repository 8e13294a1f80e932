import { toShellWord } from '../model/shell-word.js';

/** A proxy of the source. */
export interface SourceProxy {
  readonly id: string;
  readonly upstreams: readonly string[];
  readonly reachesAll: boolean;
  /** By the name of the upstream: the protocol that the registration sets. */
  readonly upstreamProtocols: ReadonlyMap<string, string>;
}

interface Health {
  readonly registered: number;
  readonly passing: number;
}

/** What was read about one call. */
export interface ReachFacts {
  readonly source: string;
  readonly destination: string;
  readonly proxies: readonly SourceProxy[];
  /** Of the destination, by its service-defaults or the proxy-defaults. */
  readonly protocol: string;
  /** The endpoints of the destination in the mesh. */
  readonly health: Health;
  /** The terminating gateways of the destination. */
  readonly gateways: readonly (Health & { readonly name: string })[];
  readonly routes: readonly {
    readonly kind: string;
    readonly targets: readonly { readonly service: string; readonly elsewhere?: string }[];
  }[];
}

/** Why an allowed call does not arrive, or not every one. */
export interface Obstacle {
  readonly kind: 'no-sidecar' | 'no-upstream' | 'protocol' | 'no-endpoint' | 'unhealthy' | 'routed';
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
 * | protocol | an upstream without a protocol of its own, or with that of the destination |
 * | routing | no resolver, splitter or router that sends the calls to another service |
 * | destination | a sidecar, or a terminating gateway, that passes its health checks |
 */
export function obstaclesOf(facts: ReachFacts): readonly Obstacle[] {
  return [...sourceObstacles(facts), ...routeObstacles(facts), ...destinationObstacles(facts)];
}

export function isReachable(obstacles: readonly Obstacle[]): boolean {
  return obstacles.every(({ blocks }) => !blocks);
}

function sourceObstacles({ source, destination, proxies, protocol }: ReachFacts): readonly Obstacle[] {
  if (proxies.length === 0)
    return [
      {
        kind: 'no-sidecar',
        blocks: true,
        message: `${source} has no sidecar, so it cannot call through the mesh`,
        remedy: `register a sidecar with ${source}: ${registrationOf(source, [destination])}`,
      },
    ];
  const lacking = proxies.filter((proxy) => !proxy.reachesAll && !proxy.upstreams.includes(destination));
  const found: Obstacle[] = [];
  if (lacking.length > 0)
    found.push({
      kind: 'no-upstream',
      blocks: lacking.length === proxies.length,
      message: `${lacking.length === proxies.length ? 'no sidecar' : `${lacking.length} of ${proxies.length} sidecars`} of ${source} has an upstream of ${destination}, and none of these is a transparent proxy`,
      remedy: `add the upstream to the registration of ${source}: ${registrationOf(source, [destination])}`,
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

function routeObstacles({ source, destination, routes }: ReachFacts): readonly Obstacle[] {
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
    const isRemote = away.some(({ elsewhere }) => elsewhere !== undefined);
    return {
      kind: 'routed' as const,
      blocks: isAll,
      message: `the ${kind} of ${destination} sends ${isAll ? 'every call' : 'some calls'} to ${names.join(', ')}, whose own intention decides`,
      remedy: isRemote
        ? `check that a mesh gateway is there, and the intention in the other cluster, or remove the entry: consul config delete -kind ${kind} -name ${toShellWord(destination)}`
        : `check scopemesh reach ${toShellWord(source)} ${toShellWord(away[0]?.service ?? '')}, or remove the entry: consul config delete -kind ${kind} -name ${toShellWord(destination)}`,
    };
  });
}

function destinationObstacles({ destination, health, gateways }: ReachFacts): readonly Obstacle[] {
  if (health.passing > 0 || gateways.some(({ passing }) => passing > 0)) return [];
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
      remedy: `register a sidecar with ${destination}: ${registrationOf(destination, [])}; or name it in the terminating-gateway entry of a gateway`,
    },
  ];
}

/** For `consul services register FILE.json`; ports are to be filled in. */
function registrationOf(service: string, upstreams: readonly string[]): string {
  const proxy =
    upstreams.length === 0
      ? {}
      : {
          proxy: {
            upstreams: upstreams.map((name) => ({ destination_name: name, local_bind_port: 9191 })),
          },
        };
  return JSON.stringify({ service: { name: service, port: 8080, connect: { sidecar_service: proxy } } });
}
