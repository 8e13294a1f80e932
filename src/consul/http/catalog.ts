import type { Clock } from '../../clock.js';
import type { Catalog, CatalogService, ServiceInstance } from '../../model/catalog.js';
import type { Logger } from '../../observe.js';
import { parseJson, readComplete, requireComplete } from './answer.js';
import { readInstancesOnNodes, readNodeNames, toInstance } from './catalog-nodes.js';
import type { IndexGuard } from './index-guard.js';
import { createReader, parseRecords } from './json.js';
import { mapBounded } from './map-bounded.js';
import { isAddressable, type Tenancy, toTenancyQuery } from './place.js';
import { readDefaultProtocol, readProtocols } from './protocols.js';
import type { Transport } from './transport.js';

const CONCURRENCY = 8;

/** From how many services on they are read by node, where there are at most half as many nodes. */
const FEWEST_BY_NODE = 64;

/** How long instances are reused at most, should all the signs below be wrong. */
const LONGEST_REUSE_MS = 300_000;

export interface CatalogReader {
  /** Complete, or throws as Consul's port says. */
  read(signal: AbortSignal): Promise<Catalog>;
}

/** The instances as they were while the table of services stood at `index`. */
interface Remembered {
  readonly index: number;
  readonly services: readonly CatalogService[];
  readonly failures: number;
  readonly readAt: number;
}

/**
 * The whole catalog: the list of services, then their instances, by node or each service's, eight reads at a time, and
 * the protocols. A
 * service that goes away in between has no instance; one that comes in between wakes the catalog's watch.
 *
 * Each change of a registration, of its meta or tags too, moves the index of the list, and no index comes twice
 * in the life of a cluster: while a consistent read gives the index under which the instances were read, they
 * are still the same and are not read again. Whatever may be the sign of another cluster behind the address (an
 * exchange that failed, an index that went back) ends that.
 */
export function createCatalogReader(
  transport: Transport,
  tenancy: Tenancy,
  guard: IndexGuard,
  clock: Clock,
  logger: Logger,
): CatalogReader {
  const query = { ...toTenancyQuery(tenancy), consistent: '' };
  let remembered: Remembered | undefined;

  const readList = (signal: AbortSignal) =>
    readNames(transport, query, guard, signal).catch((error: unknown) => {
      remembered = undefined;
      throw error;
    });

  /**
   * An instance that moves from one node to another while they are read could be missed on both: what was read counts
   * only while the list keeps its index. A service that is in the list and on no node is read by itself.
   */
  const readByNode = async (
    { index, names }: ServiceList,
    signal: AbortSignal,
  ): Promise<InstancesByService> => {
    const nodes = names.length < FEWEST_BY_NODE ? undefined : await readNodeNames(transport, query, signal);
    if (nodes === undefined || 2 * nodes.length > names.length) return new Map();
    const found = await readInstancesOnNodes(transport, nodes, query, CONCURRENCY, signal);
    const after = await readList(signal);
    return after.index === index ? found : new Map();
  };

  const readServices = async (signal: AbortSignal): Promise<readonly CatalogService[]> => {
    const readAt = clock.now();
    const failures = transport.failures();
    const list = await readList(signal);
    const { index, names } = list;
    const isCurrent =
      remembered?.index === index &&
      remembered.failures === failures &&
      readAt - remembered.readAt < LONGEST_REUSE_MS;
    if (isCurrent && remembered !== undefined) return remembered.services;
    const onNodes = await readByNode(list, signal);
    const services = await mapBounded(names, CONCURRENCY, signal, async (name, stop) => ({
      name: { partition: tenancy.partition ?? 'default', namespace: tenancy.namespace ?? 'default', name },
      instances:
        onNodes.get(name.toLowerCase()) ?? (await readInstances(transport, name, query, logger, stop)),
    }));
    remembered = { index, services, failures, readAt };
    return services;
  };

  return {
    async read(signal) {
      const [protocols, defaultProtocol, services] = await Promise.all([
        readProtocols(transport, query, signal),
        readDefaultProtocol(transport, query, signal),
        readServices(signal),
      ]);
      return { services, protocols, defaultProtocol };
    },
  };
}

type Query = Readonly<Record<string, string>>;
type InstancesByService = ReadonlyMap<string, readonly ServiceInstance[]>;

interface ServiceList {
  readonly index: number;
  readonly names: readonly string[];
}

async function readNames(
  transport: Transport,
  query: Query,
  guard: IndexGuard,
  signal: AbortSignal,
): Promise<ServiceList> {
  const operation = 'catalog.services';
  const answer = await readComplete(transport, { operation, path: '/v1/catalog/services', query }, signal);
  guard.check(operation, answer.index);
  const services = createReader(operation).record(parseJson(answer.body, operation));
  return { index: answer.index, names: Object.keys(services).toSorted() };
}

async function readInstances(
  transport: Transport,
  name: string,
  query: Query,
  logger: Logger,
  signal: AbortSignal,
): Promise<readonly ServiceInstance[]> {
  // Nobody can ask for such a name, so it has no claim that could be honoured.
  if (!isAddressable(name)) {
    logger.warn({ service: JSON.stringify(name) }, 'consul service has a name that the API cannot address');
    return [];
  }
  const operation = 'catalog.service';
  const path = `/v1/catalog/service/${encodeURIComponent(name)}`;
  const answer = await transport.send({ operation, method: 'GET', path, query }, signal, [200, 400]);
  // An empty 400 is Go's HTTP server, whose Unicode is older: to it the name is not printable.
  if (answer.status === 400 && answer.body.byteLength === 0) return [];
  const reader = createReader(operation);
  return parseRecords(requireComplete(answer, operation).body, operation).map((raw) => {
    const { ServiceID: id, Node: node, ServiceKind: kind, ServiceMeta: meta, ServiceTags: tags } = raw;
    return toInstance(reader, { id, node, kind, meta, tags, proxy: raw.ServiceProxy });
  });
}
