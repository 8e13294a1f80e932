import { compareText } from '../../model/compare-text.js';
import type { ServiceName } from '../../model/intention.js';
import { isRecord } from '../../model/is-record.js';
import type { EndpointHealth, Reachability, RouteEntry, RouteTarget } from '../reachability.js';
import { createReader } from '../reader.js';
import { parseJson, parseRecords, readComplete } from './answer.js';
import { readGateways } from './gateways.js';
import { type Tenancy, toNameQuery, toPathName } from './place.js';
import { toRegistration } from './registration.js';
import type { Transport } from './transport.js';

const operation = 'reachability.read';
const reader = createReader(operation);

type Fields = Readonly<Record<string, unknown>>;

/** By the health API, and the config entries of routing and of gateways. */
export function createReachability(transport: Transport, tenancy: Tenancy): Reachability {
  const health = async (kind: 'connect' | 'service', service: ServiceName, signal: AbortSignal) => {
    const path = `/v1/health/${kind}/${toPathName(service.name)}`;
    const query = toNameQuery(service, tenancy);
    const answer = await readComplete(transport, { operation, path, query }, signal);
    // Consul lists the terminating gateways of a service with its sidecars.
    const isSidecar = ({ Service: endpoint }: Fields) =>
      !isRecord(endpoint) || endpoint.Kind !== 'terminating-gateway';
    const endpoints = parseRecords(answer.body, operation);
    return healthOf(kind === 'connect' ? endpoints.filter(isSidecar) : endpoints);
  };
  const readEntry = async (kind: string, service: ServiceName, signal: AbortSignal) => {
    const path = `/v1/config/${kind}/${toPathName(service.name)}`;
    const query = toNameQuery(service, tenancy);
    const answer = await readComplete(transport, { operation, path, query }, signal, [200, 404]);
    return answer.status === 404 ? undefined : reader.record(parseJson(answer.body, operation));
  };
  return {
    readHealth: (service, signal) => health('connect', service, signal),
    async readInstances(service, signal) {
      const path = `/v1/catalog/service/${toPathName(service.name)}`;
      const query = toNameQuery(service, tenancy);
      const answer = await readComplete(transport, { operation, path, query }, signal);
      return parseRecords(answer.body, operation)
        .filter(({ ServiceKind: kind }) => reader.optionalText(kind) === '')
        .map((raw) => toRegistration(raw, reader))
        .toSorted((a, b) => compareText(a.node, b.node) || compareText(a.id, b.id));
    },
    readGatewayHealth: (gateway, signal) => health('service', gateway, signal),
    readGateways: (kind, place, signal) => readGateways(transport, tenancy, kind, place, signal),
    async readRoutes(service, signal) {
      const [resolver, splitter, router] = await Promise.all(
        (['service-resolver', 'service-splitter', 'service-router'] as const).map((kind) =>
          readEntry(kind, service, signal),
        ),
      );
      const { name } = service;
      const found: readonly (RouteEntry | undefined)[] = [
        resolver && { kind: 'service-resolver', targets: [toTarget(resolver.Redirect, name)] },
        splitter && {
          kind: 'service-splitter',
          // A split of nothing receives no calls.
          targets: records(splitter.Splits)
            .filter(({ Weight: weight }) => weight !== 0)
            .map((split) => toTarget(split, name)),
        },
        router && {
          kind: 'service-router',
          targets: records(router.Routes).map(({ Destination: to }) => toTarget(to, name)),
        },
      ];
      return found.filter((entry) => entry !== undefined);
    },
  };
}

function records(value: unknown): readonly Fields[] {
  return reader.list(value).map(reader.record);
}

/** Without a service, a target is the entry's own. */
function toTarget(value: unknown, own: string): RouteTarget {
  const fields: Fields = isRecord(value) ? value : {};
  const [service, datacenter, peer] = [fields.Service, fields.Datacenter, fields.Peer].map((text) =>
    reader.optionalText(text),
  );
  const elsewhere = datacenter ? `datacenter ${datacenter}` : peer ? `peer ${peer}` : '';
  return { service: service || own, ...(elsewhere === '' ? {} : { elsewhere }) };
}

/** An endpoint whose check is critical gets no calls; a warning does. */
function healthOf(endpoints: readonly Fields[]): EndpointHealth {
  const isPassing = ({ Checks: checks }: Fields) =>
    records(checks).every(({ Status: status }) => status === 'passing' || status === 'warning');
  return { registered: endpoints.length, passing: endpoints.filter(isPassing).length };
}
