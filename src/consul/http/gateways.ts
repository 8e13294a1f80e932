import type { ServiceName } from '../../model/intention.js';
import type { GatewayEntry, GatewayKind, GatewayRoute } from '../reachability.js';
import { type Raw, Reader } from '../reader.js';
import { readRecords } from './answer.js';
import { type Query, toNameQuery, toTenancyQuery } from './place.js';
import type { Transport } from './transport.js';

const operation = 'reachability.read';
const reader = new Reader(operation);

type Place = Pick<ServiceName, 'partition' | 'namespace'> | undefined;

/** By the lists of config entries, as the port says. */
export async function readGateways(
  transport: Transport,
  kind: GatewayKind,
  place: Place,
  signal: AbortSignal,
): Promise<readonly GatewayEntry[]> {
  const query =
    place === undefined
      ? toTenancyQuery(transport.tenancy)
      : toNameQuery({ ...place, name: '' }, transport.tenancy);
  const readList = (listed: string) =>
    readRecords(transport, { operation, path: `/v1/config/${listed}`, query }, signal);
  if (kind !== 'api-gateway')
    return (await readList(kind)).map((entry) => ({
      name: reader.text(entry.Name),
      routes:
        kind === 'ingress-gateway'
          ? ingressRoutes(entry, place)
          : routesIn(entry, place, '', `terminating-gateway ${reader.text(entry.Name)}`),
    }));
  if (!(await knowsApiGateways(transport, query, signal))) return [];
  const [gateways, ...routes] = await Promise.all(
    ['api-gateway', 'http-route', 'tcp-route'].map((listed) => readList(listed)),
  );
  return (gateways ?? []).map((gateway) => ({
    name: reader.text(gateway.Name),
    routes: routes.flat().flatMap((route) => boundRoutes(gateway, route, place)),
  }));
}

/** Consul before 1.15 refuses the kind, and so has no entry of it. */
async function knowsApiGateways(transport: Transport, query: Query, signal: AbortSignal): Promise<boolean> {
  const request = { operation, method: 'GET', path: '/v1/config/api-gateway', query } as const;
  const { status, body } = await transport.send(request, signal, [200, 500]);
  return status === 200 || !new TextDecoder().decode(body).startsWith('invalid config entry kind');
}

function ingressRoutes(entry: Raw, place: Place): readonly GatewayRoute[] {
  return reader
    .records(entry.Listeners)
    .flatMap((listener) =>
      routesIn(listener, place, protocolOf(listener), `port ${reader.index(listener.Port)}`),
    );
}

/** What a route adds to a gateway: nothing unless a listener of the gateway takes it. */
function boundRoutes(gateway: Raw, route: Raw, place: Place): readonly GatewayRoute[] {
  const kind = reader.text(route.Kind);
  const protocol = kind === 'tcp-route' ? 'tcp' : 'http';
  const listeners = reader.records(gateway.Listeners).filter((listener) => protocolOf(listener) === protocol);
  const isBound = reader
    .records(route.Parents)
    .some(
      ({ Kind: parent, Name: name, SectionName: section }) =>
        ['', 'api-gateway'].includes(reader.optionalText(parent)) &&
        name === gateway.Name &&
        listeners.some(({ Name: listener }) => ['', listener].includes(reader.optionalText(section))),
    );
  if (!isBound) return [];
  const where = `${kind} ${reader.text(route.Name)}`;
  const holders = kind === 'tcp-route' ? [route] : reader.records(route.Rules);
  return holders.flatMap((holder) => routesIn(holder, place, protocol, where));
}

/** A service of another namespace or partition is another service, even of the same name. */
function routesIn(holder: Raw, place: Place, protocol: string, where: string): readonly GatewayRoute[] {
  return reader
    .records(holder.Services)
    .filter(
      (rawService) =>
        place === undefined ||
        (['', place.namespace].includes(reader.optionalText(rawService.Namespace)) &&
          ['', place.partition].includes(reader.optionalText(rawService.Partition))),
    )
    .map((rawService) => ({ service: reader.text(rawService.Name), protocol, place: where }));
}

/** Without one, Consul takes tcp at an ingress gateway; an API gateway always has one. */
function protocolOf(listener: Raw): string {
  return reader.optionalText(listener.Protocol).toLowerCase() || 'tcp';
}
