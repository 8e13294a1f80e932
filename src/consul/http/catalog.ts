import { isDeepStrictEqual } from 'node:util';
import { SyncError } from '../../errors.js';
import { mapBounded } from '../../limiter.js';
import type { CatalogService, Protocol, ServiceInstance } from '../../model/catalog.js';
import type { Logger } from '../../observe.js';
import type { Consul } from '../consul.js';
import { incomplete, Reader } from '../reader.js';
import { readElements, readListed, readListedNext, readRecords } from './answer.js';
import { instanceLimit, readInstancesOnNodes, readNodeNames, toInstance } from './catalog-nodes.js';
import type { IndexGuard } from './index-guard.js';
import { type JsonElement, memberIn, OMITTED } from './json-elements.js';
import { isAddressable, type Query, toTenancyQuery } from './place.js';
import type { Transport } from './transport.js';
import type { Found, UnreadableEntries } from './unreadable-entries.js';

const CONCURRENCY = 8;

/** So many services of one catalog may be unknown because Consul does not answer for them; with more, Consul is sick. */
const MAX_UNANSWERED = 4;

/** From this number of services on, instances are read by node, if there are at most half as many nodes. */
const FEWEST_BY_NODE = 64;

/**
 * The whole catalog: the list of services, then their instances, by node or by service, eight reads at a time, and the
 * protocols. A service that disappears in between has no instances; a new one triggers the catalog's watch.
 */
export function createCatalogReader(
  transport: Transport,
  guard: IndexGuard,
  logger: Logger,
  unreadable: UnreadableEntries,
): Consul['readCatalog'] {
  const query = { ...toTenancyQuery(transport.tenancy), consistent: '' };
  const { partition = 'default', namespace = 'default' } = transport.tenancy;

  /**
   * An instance that moves between nodes during the read could be missed on both. So the result counts whole only if the
   * list keeps its index. If it does not, the services count that two passes show alike: somebody who registers one
   * service again and again must not make scopemesh read every service by itself. A service that is left out here is read
   * by itself.
   */
  const readByNode = async (
    { index, names }: ServiceList,
    signal: AbortSignal,
  ): Promise<InstancesByService> => {
    const nodes = names.length < FEWEST_BY_NODE ? undefined : await readNodeNames(transport, query, signal);
    if (nodes === undefined || 2 * nodes.length > names.length) return new Map();
    const read = (on: readonly string[]) =>
      readInstancesOnNodes(transport, on, query, CONCURRENCY, signal).catch(unlessUnanswered);
    const found = await read(nodes);
    if (found === undefined) return new Map();
    if ((await readNames(transport, query, guard, signal)).index === index) return found;
    // It may have moved to a node that is new.
    const nodesNow = await readNodeNames(transport, query, signal);
    if (nodesNow === undefined) return new Map();
    const again = await read(nodesNow);
    return new Map([...(again ?? [])].filter(([name, instances]) => isSame(instances, found.get(name))));
  };

  const readServices = async (signal: AbortSignal): Promise<readonly CatalogService[]> => {
    const list = await readNames(transport, query, guard, signal);
    const onNodes = await readByNode(list, signal);
    let unanswered = 0;
    const services = await mapBounded(list.names, { width: CONCURRENCY, signal }, async (name, stop) => ({
      name: { partition, namespace, name },
      instances:
        onNodes.get(name) ??
        (await readInstances(transport, name, query, logger, stop).catch((error: unknown) => {
          unanswered += 1;
          if (unanswered > MAX_UNANSWERED) throw error;
          return unlessUnanswered(error) ?? [UNANSWERED];
        })),
    }));
    unreadable.put('service', 'catalog', unreadableOf(services));
    return services;
  };

  return async (signal) => {
    const [protocols, defaultProtocol, services] = await Promise.all([
      readProtocols(transport, query, signal),
      readDefaultProtocol(transport, query, signal),
      readServices(signal),
    ]);
    return { services, protocols, defaultProtocol };
  };
}

/** In place of the instances of a service for which Consul does not answer, so that its claim is unknown. */
const UNANSWERED: ServiceInstance = {
  id: '(no answer)',
  node: '',
  kind: '',
  meta: {},
  tags: [],
  unreadableBytes: 0,
};

/** Consul takes minutes for an instance whose proxy has a `Config` of thousands of levels, which its owner may register. */
function unlessUnanswered(error: unknown): undefined {
  if (!(error instanceof SyncError) || error.code !== 'ERR_TIMEOUT') throw error;
}

type InstancesByService = ReadonlyMap<string, readonly ServiceInstance[]>;

interface ServiceList {
  readonly index: number;
  readonly names: readonly string[];
}

function isSame(instances: readonly ServiceInstance[], others: readonly ServiceInstance[] = []): boolean {
  const sorted = (each: readonly ServiceInstance[]) => each.map((one) => JSON.stringify(one)).toSorted();
  return isDeepStrictEqual(sorted(instances), sorted(others));
}

async function readNames(
  transport: Transport,
  query: Query,
  guard: IndexGuard,
  signal: AbortSignal,
): Promise<ServiceList> {
  const operation = 'catalog.services';
  const names: string[] = [];
  const each = (element: JsonElement) => {
    // The value is the list of all tags. A name that is too long to be kept is no service's.
    const found =
      element.kind === 'partial' ? [element.key ?? []] : Object.keys(memberIn(element.text) ?? {});
    if (element.kind === 'whole' && found.length !== 1)
      throw incomplete(operation, 'the answer is not valid JSON');
    names.push(...found.flat());
  };
  const request = { operation, path: '/v1/catalog/services', query } as const;
  const { index, isNull } = await readElements(transport, request, { form: 'object', each }, signal);
  if (isNull) throw incomplete(operation, 'the answer is not an object');
  guard.check(operation, index);
  return { index, names: names.toSorted() };
}

async function readInstances(
  transport: Transport,
  name: string,
  query: Query,
  logger: Logger,
  signal: AbortSignal,
): Promise<readonly ServiceInstance[]> {
  // The API cannot address such a name, so its claims cannot be read.
  if (!isAddressable(name)) {
    logger.warn({ service: JSON.stringify(name) }, 'consul service has a name that the API cannot address');
    return [];
  }
  const operation = 'catalog.service';
  const path = `/v1/catalog/service/${encodeURIComponent(name)}`;
  const maxBytes = instanceLimit(transport);
  const list = await readListedNext(transport, { operation, path, query }, signal, { maxBytes });
  // An empty 400 comes from Go's HTTP server, whose older Unicode tables treat the name as not printable.
  if (list === 'bad request') return [];
  const reader = new Reader(operation);
  return list.flatMap(({ raw, size }) => {
    // Consul's catalog folds case: `web` lists the instances of `WEB` too, which somebody else may register.
    if (raw.ServiceName === OMITTED || reader.text(raw.ServiceName) !== name) return [];
    const { ServiceID: id, Node: node, ServiceKind: kind, ServiceMeta: meta, ServiceTags: tags } = raw;
    const { ServiceProxy: proxy, ServiceConnect: connect } = raw;
    return toInstance(reader, { id, node, kind, meta, tags, proxy, connect }, size);
  });
}

function unreadableOf(services: readonly CatalogService[]): readonly Found[] {
  return services.flatMap(({ name, instances }) =>
    instances.flatMap(({ unreadableBytes: size }) => {
      if (size === undefined) return [];
      return { name: name.name, ...(size > 0 ? { size } : { why: 'Consul does not answer in time' }) };
    }),
  );
}

const PROTOCOLS_READ = 'protocols.read';
const protocolReader = new Reader(PROTOCOLS_READ);

/** An entry has thousands of fields for upstreams, and these two at its beginning. */
const MAX_DEFAULTS_BYTES = 16 * 1024;

/**
 * The protocols of `service-defaults`, by service name in lower case, as names that differ in case are one to Consul. Nothing else of an entry is read. A name or a protocol that is too long
 * to be kept is no service's, and no protocol of the http family.
 */
async function readProtocols(
  transport: Transport,
  query: Query,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, Protocol>> {
  const request = { operation: PROTOCOLS_READ, path: '/v1/config/service-defaults', query } as const;
  const { list } = await readListed(transport, request, signal, { maxBytes: MAX_DEFAULTS_BYTES });
  const entries = list.map(({ raw }) => raw).filter(({ Name }) => Name !== OMITTED);
  return new Map(
    entries.map(({ Name, Protocol: protocol }) => [
      protocolReader.text(Name).toLowerCase(),
      toProtocol(protocol),
    ]),
  );
}

/** The protocol of `proxy-defaults`, of which there is at most one. */
async function readDefaultProtocol(
  transport: Transport,
  query: Query,
  signal: AbortSignal,
): Promise<Protocol> {
  const request = { operation: PROTOCOLS_READ, path: '/v1/config/proxy-defaults', query } as const;
  const [entry] = await readRecords(transport, request, signal);
  if (entry === undefined) return 'tcp';
  return toProtocol(protocolReader.record(entry.Config ?? {}).protocol);
}

/** Consul treats every protocol outside the http family as tcp, also an empty one. */
function toProtocol(value: unknown): Protocol {
  const text = typeof value === 'string' ? value.toLowerCase() : '';
  return text === 'http' || text === 'http2' || text === 'grpc' ? text : 'tcp';
}
