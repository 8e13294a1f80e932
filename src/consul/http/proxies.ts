import type { ServiceName } from '../../model/intention.js';
import { isRecord } from '../../model/is-record.js';
import type { ServiceProxy } from '../consul.js';
import { createReader } from '../reader.js';
import { parseJson, readComplete } from './answer.js';
import { type Tenancy, toNameQuery, toPathName } from './place.js';
import { toRegistration } from './registration.js';
import type { Transport } from './transport.js';

const OPERATION = 'proxies.read';

/**
 * The sidecars of a service by `/v1/catalog/connect/<service>`, independent of their names. The mode of a proxy is in its
 * registration, in the service's service-defaults or in proxy-defaults; the agent merges them.
 */
export async function readProxies(
  transport: Transport,
  tenancy: Tenancy,
  service: ServiceName,
  signal: AbortSignal,
): Promise<readonly ServiceProxy[]> {
  const query = toNameQuery(service, tenancy);
  const path = `/v1/catalog/connect/${toPathName(service.name)}`;
  const [answer, own, all] = await Promise.all([
    readComplete(transport, { operation: OPERATION, path, query }, signal),
    readMode(transport, `service-defaults/${toPathName(service.name)}`, query, signal),
    readMode(transport, 'proxy-defaults/global', query, signal),
  ]);
  const reader = createReader(OPERATION);
  const instances = reader.list(parseJson(answer.body, OPERATION)).map(reader.record);
  // Consul lists the terminating gateways of a service too, which never call in its name.
  const callers = instances.filter(({ ServiceKind: kind }) => kind !== 'terminating-gateway');
  return callers.map((raw) => {
    const proxy = isRecord(raw.ServiceProxy) ? raw.ServiceProxy : {};
    const upstreams = reader.list(proxy.Upstreams).map(reader.record);
    const mode = reader.optionalText(proxy.Mode) || own || all;
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
      reachesAll: reader.optionalText(raw.ServiceKind) === '' || mode === 'transparent',
    };
  });
}

async function readMode(
  transport: Transport,
  entry: string,
  query: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<string> {
  const request = { operation: OPERATION, path: `/v1/config/${entry}`, query } as const;
  const answer = await readComplete(transport, request, signal, [200, 404]);
  if (answer.status === 404) return '';
  const reader = createReader(OPERATION);
  return reader.optionalText(reader.record(parseJson(answer.body, OPERATION)).Mode);
}
