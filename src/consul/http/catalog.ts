import type { Clock } from '../../clock.js';
import type { Catalog, CatalogService, ServiceInstance } from '../../model/catalog.js';
import type { Logger } from '../../observe.js';
import { incomplete, parseJson, readComplete, requireComplete } from './answer.js';
import type { IndexGuard } from './index-guard.js';
import { createReader, isRecord, type Reader } from './json.js';
import { mapBounded } from './map-bounded.js';
import { isAddressable, type Tenancy, toTenancyQuery } from './place.js';
import { readDefaultProtocol, readProtocols } from './protocols.js';
import type { Transport } from './transport.js';

const CONCURRENCY = 8;

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
 * The whole catalog: the list of services, then each one's instances, eight at a time, and the protocols. A
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

  const readServices = async (signal: AbortSignal): Promise<readonly CatalogService[]> => {
    const readAt = clock.now();
    const failures = transport.failures();
    const { index, names } = await readNames(transport, query, guard, signal).catch((error: unknown) => {
      remembered = undefined;
      throw error;
    });
    const isCurrent =
      remembered?.index === index &&
      remembered.failures === failures &&
      readAt - remembered.readAt < LONGEST_REUSE_MS;
    if (isCurrent && remembered !== undefined) return remembered.services;
    const services = await mapBounded(names, CONCURRENCY, signal, async (name, stop) => ({
      name: { partition: tenancy.partition ?? 'default', namespace: tenancy.namespace ?? 'default', name },
      instances: await readInstances(transport, name, query, logger, stop),
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

async function readNames(
  transport: Transport,
  query: Query,
  guard: IndexGuard,
  signal: AbortSignal,
): Promise<{ readonly index: number; readonly names: readonly string[] }> {
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
    logger.warn({ service: JSON.stringify(name) }, 'consul service has a name that cannot be asked for');
    return [];
  }
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
  const kind = reader.optionalText(raw.ServiceKind);
  const proxy = isRecord(raw.ServiceProxy) ? raw.ServiceProxy : {};
  const proxyOf = kind === 'connect-proxy' ? reader.optionalText(proxy.DestinationServiceName) : '';
  return {
    id: reader.text(raw.ServiceID),
    node: reader.text(raw.Node),
    kind,
    meta: reader.textMap(raw.ServiceMeta),
    tags: reader.texts(raw.ServiceTags),
    ...(proxyOf === '' ? {} : { proxyOf }),
  };
}
