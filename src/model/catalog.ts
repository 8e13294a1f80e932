import type { ServiceName } from './intention.js';

/** One registered instance. */
export interface ServiceInstance {
  readonly id: string;
  readonly node: string;
  /** Consul's ServiceKind: empty for an ordinary service. */
  readonly kind: string;
  readonly meta: Readonly<Record<string, string>>;
  readonly tags: readonly string[];
  /** For a sidecar: the service that it belongs to. */
  readonly proxyOf?: string;
  /** The registration is too large to be read: its meta and its tags are unknown. */
  readonly unreadableBytes?: number;
  /** Of a service with native mesh integration, which needs no sidecar. */
  readonly isNative?: true;
}

export type Protocol = 'tcp' | 'http' | 'http2' | 'grpc';

/** A gateway that calls services in its own name. */
export type CallingGatewayKind = 'ingress-gateway' | 'api-gateway';

/** Whether an instance calls in its own name, and so may claim a client. Sidecars and other gateways do not. */
export function isCaller({ kind }: Pick<ServiceInstance, 'kind'>): boolean {
  return kind === '' || isCallingGateway(kind);
}

function isCallingGateway(kind: string): kind is CallingGatewayKind {
  return kind === 'ingress-gateway' || kind === 'api-gateway';
}

/** The kind of gateway that a service is; undefined for an ordinary service, also if both are registered by one name. */
export function gatewayKindOf({ instances }: CatalogService): CallingGatewayKind | undefined {
  const kinds = instances.map(({ kind }) => kind);
  return kinds.includes('') ? undefined : kinds.find(isCallingGateway);
}

/** A service of the catalog with all its instances. */
export interface CatalogService {
  readonly name: ServiceName;
  readonly instances: readonly ServiceInstance[];
}

/** Every service, and the protocols that config entries declare; complete or not returned at all. */
export interface Catalog {
  readonly services: readonly CatalogService[];
  /** By service name in lower case (`service-defaults`); an entry without a protocol means tcp. */
  readonly protocols: ReadonlyMap<string, Protocol>;
  /** From `proxy-defaults`, for services without service-defaults; tcp if there are none. */
  readonly defaultProtocol: Protocol;
}

/** With `claims: first`, who claimed a client first; kept in KV at `scopemesh/<owner>/claims/<provider>/<client>`. */
export interface ClaimRecord {
  readonly provider: string;
  readonly clientId: string;
  readonly service: ServiceName;
  readonly modifyIndex: number;
  /** The KV key, set if its value cannot be read, so that `service` means nothing. */
  readonly unreadableKey?: string;
}
