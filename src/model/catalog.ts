import type { ServiceName } from './intention.js';

/** One registered instance; sidecars and gateways (`kind` not empty) never claim a client. */
export interface ServiceInstance {
  readonly id: string;
  readonly node: string;
  /** Consul's ServiceKind: empty for an ordinary service. */
  readonly kind: string;
  readonly meta: Readonly<Record<string, string>>;
  readonly tags: readonly string[];
  /** For a sidecar: the service that it belongs to. */
  readonly proxyOf?: string;
}

export type Protocol = 'tcp' | 'http' | 'http2' | 'grpc';

/** A service of the catalog with all its instances. */
export interface CatalogService {
  readonly name: ServiceName;
  readonly instances: readonly ServiceInstance[];
}

/** Every service, and the protocols that config entries declare; complete or not returned at all. */
export interface Catalog {
  readonly services: readonly CatalogService[];
  /** By service name (`service-defaults`); an entry without a protocol means tcp. */
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
}
