import { mapBounded } from '../../limiter.js';
import type { ServiceInstance } from '../../model/catalog.js';
import { isRecord } from '../../model/is-record.js';
import { incomplete, Reader } from '../reader.js';
import { type Listed, readElements, readRecords } from './answer.js';
import { type JsonElement, memberIn, OMITTED } from './json-elements.js';
import { isAddressable, type Query, toPathName } from './place.js';
import type { ConsulRequest } from './request.js';
import type { Transport } from './transport.js';

/**
 * Of one instance. Each instance of the catalog is in memory, and its owner may register as many as they like: with tags of
 * 7 MB in each of 100, the process had no memory left.
 */
export function instanceLimit({ maxBytes }: Transport): number {
  return Math.min(maxBytes, 256 * 1024);
}

/** The names of all nodes; undefined if the API cannot address one of them. */
export async function readNodeNames(
  transport: Transport,
  query: Query,
  signal: AbortSignal,
): Promise<readonly string[] | undefined> {
  const operation = 'catalog.nodes';
  const rows = await readRecords(transport, { operation, path: '/v1/catalog/nodes', query }, signal);
  const reader = new Reader(operation);
  const names = rows.map(({ Node }) => reader.text(Node));
  return names.every(isAddressable) ? names : undefined;
}

/** The instances on these nodes, by the exact name of their service. Undefined if one does not show its service. */
export async function readInstancesOnNodes(
  transport: Transport,
  nodes: readonly string[],
  query: Query,
  width: number,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, readonly ServiceInstance[]> | undefined> {
  const operation = 'catalog.node';
  const reader = new Reader(operation);
  const byService = new Map<string, ServiceInstance[]>();
  let isHidden = false;
  await mapBounded(nodes, { width, signal }, async (name, stop) => {
    for (const { raw, size } of await readNode(transport, name, { operation, query }, stop)) {
      // A name that is too long to be kept is no service's. With such an ID, not even the service is kept.
      isHidden ||= size !== undefined && raw.Service === undefined;
      if (isHidden || raw.Service === OMITTED) continue;
      const serviceName = reader.text(raw.Service);
      const instances = byService.get(serviceName) ?? [];
      byService.set(serviceName, instances);
      const { ID: id, Kind: kind, Meta: meta, Tags: tags, Proxy: proxy, Connect: connect } = raw;
      instances.push(toInstance(reader, { id, node: name, kind, meta, tags, proxy, connect }, size));
    }
  });
  return isHidden ? undefined : byService;
}

/** What is registered on a node. */
export async function readNode(
  transport: Transport,
  name: string,
  { operation, query }: Pick<ConsulRequest, 'operation'> & { readonly query: Query },
  signal: AbortSignal,
): Promise<readonly Listed[]> {
  const reader = new Reader(operation);
  const found: Listed[] = [];
  const each = (element: JsonElement) => {
    // The node itself comes as `Node`, which is also the ID that a service may have.
    const put = (key: string | undefined, listed: Listed) => {
      if (key !== 'Node' || listed.raw.Service !== undefined) found.push(listed);
    };
    if (element.kind === 'partial') return put(element.key, { raw: element.fields, size: element.size });
    const [[key, value] = []] = Object.entries(memberIn(element.text) ?? {});
    if (key === undefined) throw incomplete(operation, 'the answer is not valid JSON');
    // Of a node that just disappeared the answer is null, and its services are too.
    if (value !== null) put(key, { raw: reader.record(value) });
  };
  const request = { operation, path: `/v1/catalog/node/${toPathName(name)}`, query };
  const maxBytes = instanceLimit(transport);
  await readElements(transport, request, { form: 'object', within: 'Services', maxBytes, each }, signal);
  return found;
}

/**
 * An instance from normalised fields, because Consul uses two spellings. `size`: bytes of one that is too large, whose claim
 * is unknown unless all of it that tells the claim was kept.
 */
export function toInstance(
  reader: Reader,
  raw: Readonly<Record<'id' | 'node' | 'kind' | 'meta' | 'tags' | 'proxy' | 'connect', unknown>>,
  size?: number,
): ServiceInstance {
  const node = reader.text(raw.node);
  if (size !== undefined && [raw.id, raw.kind, raw.meta, raw.tags].includes(OMITTED)) {
    const kept = (value: unknown) => (value === OMITTED ? '(too long)' : reader.optionalText(value));
    return { id: kept(raw.id), node, kind: kept(raw.kind), meta: {}, tags: [], unreadableBytes: size };
  }
  const kind = reader.optionalText(raw.kind);
  const proxy = isRecord(raw.proxy) ? raw.proxy : {};
  const proxyOf = kind === 'connect-proxy' ? reader.optionalText(proxy.DestinationServiceName) : '';
  return {
    id: reader.text(raw.id),
    node,
    kind,
    meta: reader.textMap(raw.meta),
    tags: reader.texts(raw.tags),
    ...(proxyOf === '' ? {} : { proxyOf }),
    ...(isRecord(raw.connect) && raw.connect.Native === true ? { isNative: true } : {}),
  };
}
