import type { ServiceName } from '../model/intention.js';

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
  /** Another datacenter or cluster peer. */
  readonly elsewhere?: string;
}

/** What decides whether an allowed call arrives. Every method throws SyncError as `Intentions` does, and needs `service:read`. */
export interface Reachability {
  /** The sidecars of a service, and its instances with native mesh integration. */
  readHealth(service: ServiceName, signal: AbortSignal): Promise<EndpointHealth>;
  /** The instances of a gateway. */
  readGatewayHealth(gateway: ServiceName, signal: AbortSignal): Promise<EndpointHealth>;
  /** The terminating gateways whose config entry names the service. */
  readGateways(service: ServiceName, signal: AbortSignal): Promise<readonly string[]>;
  /** The resolver, splitter and router of a service, as far as they exist. */
  readRoutes(service: ServiceName, signal: AbortSignal): Promise<readonly RouteEntry[]>;
}
