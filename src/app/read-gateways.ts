import type { GatewayEntry, GatewayKind, Reachability } from '../consul/reachability.js';
import { messageOf, SyncError } from '../errors.js';
import { type Catalog, gatewayKindOf } from '../model/catalog.js';
import type { ServiceName } from '../model/intention.js';

/** A gateway that calls services in its own name; without routes if it has no config entry. */
export interface CallingGateway {
  readonly service: ServiceName;
  readonly routes: GatewayEntry['routes'];
}

export interface Gateways {
  readonly calling: readonly CallingGateway[];
  readonly terminating: readonly GatewayEntry[];
}

export type GatewayReport =
  | {
      readonly kind: 'read';
      readonly gateways: Gateways;
      /** The services that routing entries send the calls of a routed service to. */
      readonly targets: ReadonlyMap<string, readonly string[]>;
    }
  | { readonly kind: 'unread'; readonly trouble: string };

/** Reads one list of each kind of gateway and of routing. Never rejects because of Consul. */
export async function reportGateways(
  reachability: Reachability,
  catalog: Catalog | undefined,
  place: Pick<ServiceName, 'partition' | 'namespace'>,
  signal: AbortSignal,
): Promise<GatewayReport> {
  try {
    const registered = (catalog?.services ?? []).filter((each) => gatewayKindOf(each) !== undefined);
    const read = (kind: GatewayKind) => reachability.readGateways(kind, place, signal);
    const [terminating, ...entries] = await Promise.all([
      read('terminating-gateway'),
      read('ingress-gateway'),
      read('api-gateway'),
    ]);
    const routesOf = new Map(registered.map(({ name }) => [name.name, [] as GatewayEntry['routes']]));
    for (const { name, routes } of entries.flat())
      routesOf.set(name, [...(routesOf.get(name) ?? []), ...routes]);
    const calling = [...routesOf].map(([name, routes]) => ({ service: { ...place, name }, routes }));
    const targets = await readTargets(reachability, calling, place, signal);
    return { kind: 'read', gateways: { calling, terminating }, targets };
  } catch (error) {
    if (signal.aborted || !(error instanceof SyncError)) throw error;
    return { kind: 'unread', trouble: messageOf(error) };
  }
}

/** Consul accepts names in config entries that its API cannot address; nothing can be registered by such a name. */
export async function readIfAddressable<T>(read: Promise<T>, otherwise: T): Promise<T> {
  return read.catch((error: unknown) => {
    if (error instanceof SyncError && error.code === 'ERR_CONSUL_REJECTED') return otherwise;
    throw error;
  });
}

async function readTargets(
  reachability: Reachability,
  calling: readonly CallingGateway[],
  place: Pick<ServiceName, 'partition' | 'namespace'>,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, readonly string[]>> {
  const routed = new Set(calling.flatMap(({ routes }) => routes.map(({ service }) => service)));
  routed.delete('*');
  const names = [...routed].toSorted();
  const read = await reachability.readRoutes(
    names.map((name) => ({ ...place, name })),
    signal,
  );
  return new Map(
    names.map((name, at) => {
      const entries = read[at] ?? [];
      const targets = entries.flatMap(({ kind, targets: to }) => [
        // A router without a match sends the rest to the service itself.
        ...(kind === 'service-router' ? [name] : []),
        ...to.flatMap(({ service, elsewhere }) => (elsewhere === undefined ? service : [])),
      ]);
      return [name, entries.length === 0 ? [name] : [...new Set(targets)]];
    }),
  );
}
