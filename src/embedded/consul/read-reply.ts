import { secretOf } from './acl/acl-resolver.js';
import { blockingQuery, type Observation, parseQueryOptions, type QueryOptions } from './blocking-query.js';
import { type ConsulReply, type ConsulRequest, jsonReply, type ReadResult, textReply } from './exchange.js';
import type { ServerContext } from './server-context.js';
import type { WatchSet } from './state/watch-set.js';

/** The headers by which a client follows a query. Whether rows were hidden is told only to who showed a token. */
export function queryHeaders(
  request: ConsulRequest,
  result: ReadResult<unknown>,
  consistency?: string,
): Record<string, string> {
  return {
    'X-Consul-Index': String(Math.max(result.index, 1)),
    'X-Consul-KnownLeader': 'true',
    'X-Consul-LastContact': '0',
    'X-Consul-Query-Backend': 'blocking-query',
    ...(consistency === undefined ? {} : { 'X-Consul-Effective-Consistency': consistency }),
    ...(result.filtered === true && secretOf(request) !== ''
      ? { 'X-Consul-Results-Filtered-By-ACLs': 'true' }
      : {}),
  };
}

/** Catalog and health answers say which consistency they had. */
function consistencyOf(options: QueryOptions): string {
  if (options.isConsistent) return 'consistent';
  return options.isStale ? 'stale' : 'leader';
}

/** Runs a blocking query and answers its value as JSON. */
export async function replyWithQuery<T>(
  context: ServerContext,
  request: ConsulRequest,
  query: (watch: WatchSet) => Observation<T>,
  saysConsistency = false,
): Promise<ConsulReply> {
  const options = parseQueryOptions(request);
  const result = await blockingQuery(context, request, options, query);
  const headers = queryHeaders(request, result, saysConsistency ? consistencyOf(options) : undefined);
  return jsonReply(request, result.value, headers);
}

/** Like `replyWithQuery`, but a missing value is 404 with `missingText`. */
export async function replyWithQueryOr404<T>(
  context: ServerContext,
  request: ConsulRequest,
  query: (watch: WatchSet) => Observation<T | undefined>,
  missingText: string,
): Promise<ConsulReply> {
  const options = parseQueryOptions(request);
  const result = await blockingQuery(context, request, options, query);
  const headers = queryHeaders(request, result);
  if (result.value === undefined) return textReply(404, missingText, headers);
  return jsonReply(request, result.value, headers);
}
