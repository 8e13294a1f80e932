import {
  badRequest,
  ConsulFailure,
  type ConsulReply,
  type ConsulRequest,
  serverFailure,
  textReply,
} from './exchange.js';
import type { ServerContext } from './server-context.js';

/** What Go calls printable: letters, marks, numbers, punctuation, symbols, and of spaces only the common one. */
const unprintable = /[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/u;

/** Paths that answer for this agent alone, whatever datacenter is named. */
const localPath = /^\/v1\/(agent\/|catalog\/datacenters$)/;

/** Paths on which Consul takes filter expressions. */
const filteredPath = /^\/v1\/(catalog\/|health\/|agent\/(services|checks)$|connect\/intentions$)/;

/** What is wrong with a request whichever route it is for: an answer to give at once, or undefined. */
export function guardRequest(context: ServerContext, request: ConsulRequest): ConsulReply | undefined {
  const { path, rawPath } = request;
  if (unprintable.test(path)) return textReply(400, '');
  const clean = cleanPath(rawPath);
  if (clean !== rawPath) return redirect(clean, request.query);
  if (!path.startsWith('/v1/')) return undefined;
  const refusal = parameterRefusal(context, request);
  return refusal === undefined ? undefined : textReply(refusal.status, refusal.message);
}

function parameterRefusal(context: ServerContext, { path, query }: ConsulRequest): ConsulFailure | undefined {
  for (const [name, feature] of [
    ['ns', 'Namespaces'],
    ['partition', 'Partitions'],
  ] as const) {
    if (query.has(name)) {
      return badRequest(`Invalid query parameter: "${name}" - ${feature} are a Consul Enterprise feature`);
    }
  }
  const datacenter = query.get('dc') ?? '';
  if (datacenter !== '' && datacenter !== context.datacenter && !localPath.test(path)) {
    return serverFailure('No path to datacenter');
  }
  // To answer unfiltered would be worse than not to answer.
  if ((query.get('filter') ?? '') !== '' && filteredPath.test(path)) {
    return new ConsulFailure(501, 'filter expressions are not served by the embedded Consul');
  }
  return undefined;
}

/** Without empty, `.` and `../../consul` segments, as Go's router wants it; escaped ones pass, and so address any name. */
function cleanPath(path: string): string {
  const kept: string[] = [];
  for (const segment of path.split('/')) {
    if (segment === '' || segment === '.') continue;
    if (segment === '../../consul') kept.pop();
    else kept.push(segment);
  }
  const clean = `/${kept.join('/')}`;
  return path.endsWith('/') && clean !== '/' ? `${clean}/` : clean;
}

function redirect(path: string, query: URLSearchParams): ConsulReply {
  const search = query.size === 0 ? '' : `?${query}`;
  // Go escapes the escapes once more: only plain paths are led to where they meant.
  const location = `${path.replaceAll('%', '%25')}${search}`;
  return {
    status: 307,
    headers: { 'Content-Type': 'text/html; charset=utf-8', Location: location },
    body: `<a href="${location.replaceAll('&', '&amp;')}">Temporary Redirect</a>.\n\n`,
  };
}
