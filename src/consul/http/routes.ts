import type { ServiceName } from '../../model/intention.js';
import { isRecord } from '../../model/is-record.js';
import type { RouteEntry, RouteTarget } from '../reachability.js';
import { type Raw, Reader } from '../reader.js';
import { readNamedEntries } from './named-entries.js';
import type { Transport } from './transport.js';

const operation = 'reachability.read';
const reader = new Reader(operation);

/** By the config entries of routing, as the port says. */
export async function readRoutes(
  transport: Transport,
  services: readonly ServiceName[],
  signal: AbortSignal,
): Promise<readonly (readonly RouteEntry[])[]> {
  const read = (kind: RouteEntry['kind']) =>
    readNamedEntries(transport, { operation, kind }, services, signal);
  const [resolverOf, splitterOf, routerOf] = await Promise.all([
    read('service-resolver'),
    read('service-splitter'),
    read('service-router'),
  ]);
  return services.map((serviceName) =>
    toRoutes(serviceName.name, {
      resolver: resolverOf(serviceName),
      splitter: splitterOf(serviceName),
      router: routerOf(serviceName),
    }),
  );
}

function toRoutes(
  name: string,
  { resolver, splitter, router }: Readonly<Record<'resolver' | 'splitter' | 'router', Raw | undefined>>,
): readonly RouteEntry[] {
  const found: readonly (RouteEntry | undefined)[] = [
    resolver && { kind: 'service-resolver', targets: [toTarget(resolver.Redirect, name)] },
    splitter && {
      kind: 'service-splitter',
      // A split of nothing receives no calls.
      targets: reader
        .records(splitter.Splits)
        .filter(({ Weight: weight }) => weight !== 0)
        .map((split) => toTarget(split, name)),
    },
    router && {
      kind: 'service-router',
      targets: reader.records(router.Routes).map(({ Destination: to }) => toTarget(to, name)),
    },
  ];
  return found.filter((entry) => entry !== undefined);
}

/** Without a service, a target is the entry's own. */
function toTarget(value: unknown, own: string): RouteTarget {
  const fields: Raw = isRecord(value) ? value : {};
  const [serviceName, datacenter, peer] = [fields.Service, fields.Datacenter, fields.Peer].map((text) =>
    reader.optionalText(text),
  );
  const elsewhere = datacenter ? `datacenter ${datacenter}` : peer ? `peer ${peer}` : '';
  return { service: serviceName || own, ...(elsewhere === '' ? {} : { elsewhere }) };
}
