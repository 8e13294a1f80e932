import type { Protocol } from '../../model/catalog.js';
import { isRecord } from '../../model/is-record.js';
import { createReader } from '../reader.js';
import { parseRecords, readComplete } from './answer.js';
import type { Operation } from './request.js';
import type { Transport } from './transport.js';

type Query = Readonly<Record<string, string>>;

/** The protocols of `service-defaults`, by service name. */
export async function readProtocols(
  transport: Transport,
  query: Query,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, Protocol>> {
  const operation = 'protocols.read';
  const entries = await readEntries(transport, 'service-defaults', query, signal);
  const reader = createReader(operation);
  return new Map(entries.map(({ Name, Protocol: protocol }) => [reader.text(Name), toProtocol(protocol)]));
}

/** The protocol of `proxy-defaults`, of which there is at most one. */
export async function readDefaultProtocol(
  transport: Transport,
  query: Query,
  signal: AbortSignal,
): Promise<Protocol> {
  const [entry] = await readEntries(transport, 'proxy-defaults', query, signal);
  if (entry === undefined) return 'tcp';
  return toProtocol(isRecord(entry.Config) ? entry.Config.protocol : undefined);
}

async function readEntries(
  transport: Transport,
  kind: 'service-defaults' | 'proxy-defaults',
  query: Query,
  signal: AbortSignal,
): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const operation: Operation = 'protocols.read';
  const answer = await readComplete(transport, { operation, path: `/v1/config/${kind}`, query }, signal);
  return parseRecords(answer.body, operation);
}

/** Consul treats every protocol outside the http family as tcp, also an empty one. */
function toProtocol(value: unknown): Protocol {
  const text = typeof value === 'string' ? value.toLowerCase() : '';
  return text === 'http' || text === 'http2' || text === 'grpc' ? text : 'tcp';
}
