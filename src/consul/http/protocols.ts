import type { Protocol } from '../../model/catalog.js';
import { fieldOf } from '../../model/field-of.js';
import { Reader } from '../reader.js';
import { readRecords } from './answer.js';
import type { Query } from './place.js';
import type { Transport } from './transport.js';

const operation = 'protocols.read';
const reader = new Reader(operation);

/** The protocols of `service-defaults`, by service name. */
export async function readProtocols(
  transport: Transport,
  query: Query,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, Protocol>> {
  const request = { operation, path: '/v1/config/service-defaults', query } as const;
  const entries = await readRecords(transport, request, signal);
  return new Map(entries.map(({ Name, Protocol: protocol }) => [reader.text(Name), toProtocol(protocol)]));
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
  return toProtocol(fieldOf(entry.Config, 'protocol'));
}

/** Consul treats every protocol outside the http family as tcp, also an empty one. */
function toProtocol(value: unknown): Protocol {
  const text = typeof value === 'string' ? value.toLowerCase() : '';
  return text === 'http' || text === 'http2' || text === 'grpc' ? text : 'tcp';
}
