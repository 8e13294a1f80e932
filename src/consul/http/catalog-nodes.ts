import { mapBounded } from '../../map-bounded.js';
import type { ServiceInstance } from '../../model/catalog.js';
import { isRecord } from '../../model/is-record.js';
import { Reader } from '../reader.js';
import { parseJson, readComplete, readRecords } from './answer.js';
import { isAddressable, type Query } from './place.js';
import type { Transport } from './transport.js';

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

/** The instances on these nodes, by service name in lower case: to Consul names that differ in case are one service. */
export async function readInstancesOnNodes(
  transport: Transport,
  nodes: readonly string[],
  query: Query,
  width: number,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, readonly ServiceInstance[]>> {
  const operation = 'catalog.node';
  const reader = new Reader(operation);
  const byService = new Map<string, ServiceInstance[]>();
  await mapBounded(nodes, { width, signal }, async (name, stop) => {
    const path = `/v1/catalog/node/${encodeURIComponent(name)}`;
    const { body } = await readComplete(transport, { operation, path, query }, stop);
    const value = parseJson(body, operation);
    // The node disappeared after the list.
    if (value === null) return;
    const { Node, Services } = reader.record(value);
    const node = reader.text(reader.record(Node).Node);
    for (const instance of Object.values(reader.record(Services ?? {}))) {
      const raw = reader.record(instance);
      const key = reader.text(raw.Service).toLowerCase();
      const instances = byService.get(key) ?? [];
      byService.set(key, instances);
      const { ID: id, Kind: kind, Meta: meta, Tags: tags, Proxy: proxy, Connect: connect } = raw;
      instances.push(toInstance(reader, { id, node, kind, meta, tags, proxy, connect }));
    }
  });
  return byService;
}

/** An instance from normalised fields, because Consul uses two spellings. */
export function toInstance(
  reader: Reader,
  raw: Readonly<Record<'id' | 'node' | 'kind' | 'meta' | 'tags' | 'proxy' | 'connect', unknown>>,
): ServiceInstance {
  const kind = reader.optionalText(raw.kind);
  const proxy = isRecord(raw.proxy) ? raw.proxy : {};
  const proxyOf = kind === 'connect-proxy' ? reader.optionalText(proxy.DestinationServiceName) : '';
  return {
    id: reader.text(raw.id),
    node: reader.text(raw.node),
    kind,
    meta: reader.textMap(raw.meta),
    tags: reader.texts(raw.tags),
    ...(proxyOf === '' ? {} : { proxyOf }),
    ...(isRecord(raw.connect) && raw.connect.Native === true ? { isNative: true } : {}),
  };
}
