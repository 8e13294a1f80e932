import { compareText } from '../../model/compare-text.js';
import type { ServiceName } from '../../model/intention.js';
import { isRecord } from '../../model/is-record.js';
import type { EndpointHealth, Reachability } from '../reachability.js';
import { type Raw, Reader } from '../reader.js';
import { readRecords } from './answer.js';
import { readNode } from './catalog-nodes.js';
import { readGateways } from './gateways.js';
import { toNameQuery, toPathName } from './place.js';
import { toRegistration } from './registration.js';
import { readRoutes } from './routes.js';
import type { Transport } from './transport.js';

const operation = 'reachability.read';
const reader = new Reader(operation);

/** By the health API, and the config entries of routing and of gateways. */
export function createReachability(transport: Transport): Reachability {
  const health = async (kind: 'connect' | 'service', serviceName: ServiceName, signal: AbortSignal) => {
    const path = `/v1/health/${kind}/${toPathName(serviceName.name)}`;
    const query = toNameQuery(serviceName, transport.tenancy);
    const endpoints = await readRecords(transport, { operation, path, query }, signal);
    // Consul lists the terminating gateways of a service with its sidecars.
    const isSidecar = ({ Service: endpoint }: Raw) =>
      !isRecord(endpoint) || endpoint.Kind !== 'terminating-gateway';
    return healthOf(kind === 'connect' ? endpoints.filter(isSidecar) : endpoints);
  };
  return {
    readHealth: (serviceName, signal) => health('connect', serviceName, signal),
    async readInstances(serviceName, signal) {
      const path = `/v1/catalog/service/${toPathName(serviceName.name)}`;
      const query = toNameQuery(serviceName, transport.tenancy);
      const instances = await readRecords(transport, { operation, path, query }, signal);
      return instances
        .filter(({ ServiceKind: kind }) => reader.optionalText(kind) === '')
        .map((raw) => toRegistration(raw, reader))
        .toSorted((a, b) => compareText(a.node, b.node) || compareText(a.id, b.id));
    },
    async readTakenPorts(node, place, signal) {
      const ports = new Set<number>();
      const add = (value: unknown) => {
        if (typeof value === 'number') ports.add(value);
      };
      const query = toNameQuery({ ...place, name: node }, transport.tenancy);
      for (const { raw } of await readNode(transport, node, { operation, query }, signal)) {
        const { Port: port, Proxy: proxy } = raw;
        add(port);
        if (!isRecord(proxy)) continue;
        for (const upstream of reader.records(proxy.Upstreams)) add(upstream.LocalBindPort);
        const exposed = isRecord(proxy.Expose) ? proxy.Expose : {};
        for (const each of reader.records(exposed.Paths)) add(each.ListenerPort);
      }
      return ports;
    },
    readGatewayHealth: (gateway, signal) => health('service', gateway, signal),
    readGateways: (kind, place, signal) => readGateways(transport, kind, place, signal),
    readRoutes: (services, signal) => readRoutes(transport, services, signal),
  };
}

/** An endpoint whose check is critical gets no calls; a warning does. */
function healthOf(endpoints: readonly Raw[]): EndpointHealth {
  const isPassing = ({ Checks: checks }: Raw) =>
    reader.records(checks).every(({ Status: status }) => status === 'passing' || status === 'warning');
  return { registered: endpoints.length, passing: endpoints.filter(isPassing).length };
}
