import type { Catalog, CatalogService, Protocol, ServiceInstance } from '../../model/catalog.js';
import type { Logger } from '../../observe.js';
import { incomplete, parseJson, readComplete, requireComplete } from './answer.js';
import type { IndexGuard } from './index-guard.js';
import { createReader, isRecord, type Reader } from './json.js';
import { isAddressable, type Tenancy, toTenancyQuery } from './place.js';
import type { Operation, Transport } from './transport.js';

const CONCURRENCY = 8;

/**
 * The whole catalog: the list of services, then each one's instances, eight at a time, and the protocols. A
 * service that goes away in between has no instance; one that comes in between wakes the catalog's watch.
 */
export async function readCatalog(
  transport: Transport,
  tenancy: Tenancy,
  guard: IndexGuard,
  logger: Logger,
  signal: AbortSignal,
): Promise<Catalog> {
  const query = { ...toTenancyQuery(tenancy), consistent: '' };
  const [protocols, defaultProtocol, names] = await Promise.all([
    readProtocols(transport, query, signal),
    readDefaultProtocol(transport, query, signal),
    readNames(transport, query, guard, signal),
  ]);
  const services = await mapBounded(
    names,
    CONCURRENCY,
    signal,
    async (name, stop): Promise<CatalogService> => {
      const at = {
        partition: tenancy.partition ?? 'default',
        namespace: tenancy.namespace ?? 'default',
        name,
      };
      // Nobody can ask for such a name, so it has no claim that could be honoured.
      if (!isAddressable(name)) {
        logger.warn({ service: JSON.stringify(name) }, 'consul service has a name that cannot be asked for');
        return { name: at, instances: [] };
      }
      return { name: at, instances: await readInstances(transport, name, query, stop) };
    },
  );
  return { services, protocols, defaultProtocol };
}

type Query = Readonly<Record<string, string>>;

async function readNames(
  transport: Transport,
  query: Query,
  guard: IndexGuard,
  signal: AbortSignal,
): Promise<string[]> {
  const operation = 'catalog.services';
  const answer = await readComplete(transport, { operation, path: '/v1/catalog/services', query }, signal);
  guard.check(operation, answer.index);
  const services = createReader(operation).record(parseJson(answer.body, operation));
  return Object.keys(services).toSorted();
}

async function readInstances(
  transport: Transport,
  name: string,
  query: Query,
  signal: AbortSignal,
): Promise<readonly ServiceInstance[]> {
  const operation = 'catalog.service';
  const path = `/v1/catalog/service/${encodeURIComponent(name)}`;
  const answer = await transport.send({ operation, method: 'GET', path, query }, signal, [200, 400]);
  // An empty 400 is Go's HTTP server, whose Unicode is older: to it the name is not printable.
  if (answer.status === 400 && answer.body.byteLength === 0) return [];
  const instances = parseJson(requireComplete(answer, operation).body, operation);
  if (!Array.isArray(instances)) throw incomplete(operation, 'the answer is not a list');
  const reader = createReader(operation);
  return reader.list(instances).map((instance) => parseInstance(instance, reader));
}

function parseInstance(value: unknown, reader: Reader): ServiceInstance {
  const raw = reader.record(value);
  return {
    id: reader.text(raw.ServiceID),
    node: reader.text(raw.Node),
    kind: reader.optionalText(raw.ServiceKind),
    meta: reader.textMap(raw.ServiceMeta),
    tags: reader.texts(raw.ServiceTags),
  };
}

async function readProtocols(
  transport: Transport,
  query: Query,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, Protocol>> {
  const operation = 'protocols.read';
  const entries = await readEntries(transport, 'service-defaults', query, signal);
  const reader = createReader(operation);
  return new Map(
    entries.map((entry) => {
      const raw = reader.record(entry);
      return [reader.text(raw.Name), toProtocol(raw.Protocol)];
    }),
  );
}

async function readDefaultProtocol(
  transport: Transport,
  query: Query,
  signal: AbortSignal,
): Promise<Protocol> {
  const [entry] = await readEntries(transport, 'proxy-defaults', query, signal);
  if (entry === undefined) return 'tcp';
  const config = createReader('protocols.read').record(entry).Config;
  return toProtocol(isRecord(config) ? config.protocol : undefined);
}

async function readEntries(
  transport: Transport,
  kind: 'service-defaults' | 'proxy-defaults',
  query: Query,
  signal: AbortSignal,
): Promise<readonly unknown[]> {
  const operation: Operation = 'protocols.read';
  const answer = await readComplete(transport, { operation, path: `/v1/config/${kind}`, query }, signal);
  const entries = parseJson(answer.body, operation);
  if (!Array.isArray(entries)) throw incomplete(operation, 'the answer is not a list');
  return entries;
}

/** What Consul does not know as an http family it treats as tcp, an empty Protocol included. */
function toProtocol(value: unknown): Protocol {
  const text = typeof value === 'string' ? value.toLowerCase() : '';
  return text === 'http' || text === 'http2' || text === 'grpc' ? text : 'tcp';
}

/** Results in the order of the items. The first failure aborts the others, and no request outlives the call. */
async function mapBounded<T, R>(
  items: readonly T[],
  width: number,
  signal: AbortSignal,
  map: (item: T, signal: AbortSignal) => Promise<R>,
): Promise<R[]> {
  const failed = new AbortController();
  const stop = AbortSignal.any([signal, failed.signal]);
  const results: R[] = [];
  const queue = items.entries();
  const work = async () => {
    for (const [index, item] of queue) results[index] = await map(item, stop);
  };
  const workers = Array.from({ length: Math.min(width, items.length) }, () =>
    work().catch((error: unknown) => {
      failed.abort(error);
      throw error;
    }),
  );
  const settled = await Promise.allSettled(workers);
  const rejected = settled.some((result) => result.status === 'rejected');
  if (rejected) throw stop.reason;
  return results;
}
