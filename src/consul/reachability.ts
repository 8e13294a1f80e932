import type { CallingGatewayKind } from '../model/catalog.js';
import type { ServiceName } from '../model/intention.js';
import type { Registration } from '../model/registration.js';

/** The endpoints of a service, and how many pass all their health checks. */
export interface EndpointHealth {
  readonly registered: number;
  readonly passing: number;
}

/** A config entry that decides where calls of a service go. */
export interface RouteEntry {
  readonly kind: 'service-resolver' | 'service-splitter' | 'service-router';
  /** The service itself, too, where the entry names it. */
  readonly targets: readonly RouteTarget[];
}

export interface RouteTarget {
  readonly service: string;
  /** `datacenter NAME` or `peer NAME`, if it is not here. */
  readonly elsewhere?: string;
}

export type GatewayKind = CallingGatewayKind | 'terminating-gateway';

/** A gateway as its config entries describe it; whether an instance of it runs is another matter. */
export interface GatewayEntry {
  readonly name: string;
  readonly routes: readonly GatewayRoute[];
}

/** A service that a gateway leads to. */
export interface GatewayRoute {
  /** `*`: every service that fits. */
  readonly service: string;
  /** Of the listener, in lower case; empty at a terminating gateway. */
  readonly protocol: string;
  /** The part of the config entries that says so: `port 8080`, `http-route shop`. */
  readonly place: string;
}

/** What decides whether an allowed call arrives. Every method throws SyncError as `Intentions` does, and needs `service:read`. */
export interface Reachability {
  /** The sidecars of a service, and its instances with native mesh integration; no terminating gateways. */
  readHealth(serviceName: ServiceName, signal: AbortSignal): Promise<EndpointHealth>;
  /** The ordinary instances of a service, without its sidecars and without gateways of its name; sorted by node and ID. */
  readInstances(serviceName: ServiceName, signal: AbortSignal): Promise<readonly Registration[]>;
  /** The ports that the services of a node have, and their sidecars with every upstream and exposed path. */
  readTakenPorts(
    node: string,
    place: Pick<ServiceName, 'partition' | 'namespace'>,
    signal: AbortSignal,
  ): Promise<ReadonlySet<number>>;
  /** The instances of a gateway. */
  readGatewayHealth(gateway: ServiceName, signal: AbortSignal): Promise<EndpointHealth>;
  /**
   * Every gateway of a kind that has a config entry in this place: one list, and for API gateways one more for each kind of
   * route, which need `mesh:read`. A Consul before 1.15 has no API gateways. Without `place`: in the configured place, with
   * the services of every place that they lead to.
   */
  readGateways(
    kind: GatewayKind,
    place: Pick<ServiceName, 'partition' | 'namespace'> | undefined,
    signal: AbortSignal,
  ): Promise<readonly GatewayEntry[]>;
  /**
   * The resolver, splitter and router of each service, as far as they exist, in the order of the services. Three requests for
   * each of few services, or three lists. A name that the API cannot address has none.
   */
  readRoutes(
    services: readonly ServiceName[],
    signal: AbortSignal,
  ): Promise<readonly (readonly RouteEntry[])[]>;
}
