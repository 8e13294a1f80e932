import { mapBounded } from '../../limiter.js';
import type { ServiceName } from '../../model/intention.js';
import { isRecord } from '../../model/is-record.js';
import type { ServiceProxy } from '../consul.js';
import { type Raw, Reader } from '../reader.js';
import { readRecords } from './answer.js';
import { readNamedEntries } from './named-entries.js';
import { toNameQuery, toPathName } from './place.js';
import { toRegistration } from './registration.js';
import type { Transport } from './transport.js';

const operation = 'proxies.read';
const reader = new Reader(operation);

const CONCURRENCY = 8;

/**
 * The sidecars of services by `/v1/catalog/connect/<service>`, independent of their names. The mode of a proxy is in its
 * registration, in the service's service-defaults or in proxy-defaults; the agent merges them.
 */
export async function readProxies(
  transport: Transport,
  services: readonly ServiceName[],
  signal: AbortSignal,
): Promise<readonly (readonly ServiceProxy[])[]> {
  const all = await mapBounded(services, { width: CONCURRENCY, signal }, (serviceName, stop) =>
    readCallers(transport, serviceName, stop),
  );
  const unset = services.filter((_, at) => all[at]?.some((raw) => !isNative(raw) && ownMode(raw) === ''));
  const modeOf = await readModes(transport, unset, signal);
  return services.map((serviceName, at) => (all[at] ?? []).map((raw) => toProxy(raw, modeOf(serviceName))));
}

async function readCallers(
  transport: Transport,
  serviceName: ServiceName,
  signal: AbortSignal,
): Promise<readonly Raw[]> {
  const query = toNameQuery(serviceName, transport.tenancy);
  const path = `/v1/catalog/connect/${toPathName(serviceName.name)}`;
  const callers = await readRecords(transport, { operation, path, query }, signal);
  // Consul lists the terminating gateways of a service too, which never call in its name.
  return callers.filter(({ ServiceKind: kind }) => kind !== 'terminating-gateway');
}

function toProxy(raw: Raw, defaultMode: string): ServiceProxy {
  const upstreams = reader.records(proxyOf(raw).Upstreams);
  return {
    ...toRegistration(raw, reader),
    upstreams: upstreams.map((upstream) => reader.optionalText(upstream.DestinationName)),
    upstreamProtocols: new Map(
      upstreams.flatMap(({ DestinationName: name, Config: config }) =>
        isRecord(config) && typeof config.protocol === 'string'
          ? [[reader.optionalText(name), config.protocol] as const]
          : [],
      ),
    ),
    reachesAll: isNative(raw) || (ownMode(raw) || defaultMode) === 'transparent',
  };
}

function isNative({ ServiceKind: kind }: Raw): boolean {
  return reader.optionalText(kind) === '';
}

function ownMode(raw: Raw): string {
  return reader.optionalText(proxyOf(raw).Mode);
}

function proxyOf({ ServiceProxy: proxy }: Raw): Raw {
  return isRecord(proxy) ? proxy : {};
}

/** The modes of proxies that set none, by service. */
async function readModes(
  transport: Transport,
  services: readonly ServiceName[],
  signal: AbortSignal,
): Promise<(serviceName: ServiceName) => string> {
  const globalOf = (serviceName: ServiceName) => ({ ...serviceName, name: 'global' });
  const read = (kind: string, names: readonly ServiceName[]) =>
    readNamedEntries(transport, { operation, kind }, names, signal);
  const [own, all] = await Promise.all([
    read('service-defaults', services),
    read('proxy-defaults', services.map(globalOf)),
  ]);
  return (serviceName) =>
    reader.optionalText(own(serviceName)?.Mode) || reader.optionalText(all(globalOf(serviceName))?.Mode);
}
