import type { Protocol } from '../../model/catalog.js';
import { Reader } from '../reader.js';
import { readListed, readRecords } from './answer.js';
import { OMITTED } from './json-elements.js';
import type { Query } from './place.js';
import type { Transport } from './transport.js';

const operation = 'protocols.read';
const reader = new Reader(operation);

/** An entry has thousands of fields for upstreams, and these two at its beginning. */
const MAX_BYTES = 16 * 1024;

/**
 * The protocols of `service-defaults`, by service name in lower case, as names that differ in case are one to Consul. Nothing else of an entry is read. A name or a protocol that is too long
 * to be kept is no service's, and no protocol of the http family.
 */
export async function readProtocols(
  transport: Transport,
  query: Query,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, Protocol>> {
  const request = { operation, path: '/v1/config/service-defaults', query } as const;
  const { list } = await readListed(transport, request, signal, { maxBytes: MAX_BYTES });
  const entries = list.map(({ raw }) => raw).filter(({ Name }) => Name !== OMITTED);
  return new Map(
    entries.map(({ Name, Protocol: protocol }) => [reader.text(Name).toLowerCase(), toProtocol(protocol)]),
  );
}

/** The protocol of `proxy-defaults`, of which there is at most one. */
export async function readDefaultProtocol(
  transport: Transport,
  query: Query,
  signal: AbortSignal,
): Promise<Protocol> {
  const request = { operation, path: '/v1/config/proxy-defaults', query } as const;
  const [entry] = await readRecords(transport, request, signal);
  if (entry === undefined) return 'tcp';
  return toProtocol(reader.record(entry.Config ?? {}).protocol);
}

/** Consul treats every protocol outside the http family as tcp, also an empty one. */
function toProtocol(value: unknown): Protocol {
  const text = typeof value === 'string' ? value.toLowerCase() : '';
  return text === 'http' || text === 'http2' || text === 'grpc' ? text : 'tcp';
}
