import { badRequest, ConsulFailure, type ConsulReply, type ConsulRequest, textReply } from './exchange.js';
import type { ServerContext } from './server-context.js';

/** Go's printable characters: letters, marks, numbers, punctuation, symbols, and only the common space. */
const unprintable = /[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/u;

/** Paths that answer for this agent alone, whatever datacenter is named. */
const localPath = /^\/v1\/(agent\/|catalog\/datacenters$)/;

/** Parameters that are not served, with the paths on which Consul accepts them. */
const unserved: readonly (readonly [string, RegExp])[] = [
  ['filter', /^\/v1\/catalog\//],
  ['keys', /^\/v1\/kv\//],
  ['release', /^\/v1\/kv\//],
  ['policy', /^\/v1\/acl\/(tokens|roles)$/],
  ['servicename', /^\/v1\/acl\/tokens$/],
];

/** Answers or refuses a request that is wrong on every route. Otherwise returns undefined. */
export function guardRequest(context: ServerContext, request: ConsulRequest): ConsulReply | undefined {
  const { path, rawPath, query } = request;
  if (unprintable.test(path)) return textReply(400, '');
  const clean = cleanPath(rawPath);
  if (clean !== rawPath) return redirect(clean, query);
  if (path.startsWith('/v1/')) requireServed(context, request);
  return undefined;
}

function requireServed(context: ServerContext, { path, query }: ConsulRequest): void {
  for (const [name, feature] of [
    ['ns', 'Namespaces'],
    ['partition', 'Partitions'],
  ] as const) {
    if (query.has(name))
      throw badRequest(`Invalid query parameter: "${name}" - ${feature} are a Consul Enterprise feature`);
  }
  const datacenter = query.get('dc') ?? '';
  if (datacenter !== '' && datacenter !== context.datacenter && !localPath.test(path))
    throw new ConsulFailure(500, 'No path to datacenter');
  // An answer without the filter would be worse than none.
  const refused = unserved.find(([name, paths]) => query.has(name) && paths.test(path));
  if (refused !== undefined && (refused[0] === 'keys' || query.get(refused[0]) !== ''))
    throw new ConsulFailure(501, `the embedded Consul does not serve the parameter "${refused[0]}" here`);
}

/** Without empty, `.` and `..` segments, as Go's router wants it. Escaped ones stay, so that they can be in a name. */
function cleanPath(path: string): string {
  const kept: string[] = [];
  for (const segment of path.split('/')) {
    if (segment === '' || segment === '.') continue;
    if (segment === '..') kept.pop();
    else kept.push(segment);
  }
  const clean = `/${kept.join('/')}`;
  return path.endsWith('/') && clean !== '/' ? `${clean}/` : clean;
}

function redirect(path: string, query: URLSearchParams): ConsulReply {
  const search = query.size === 0 ? '' : `?${query}`;
  // Go escapes the escapes once more: only plain paths reach their destination.
  const location = `${path.replaceAll('%', '%25')}${search}`;
  return {
    status: 307,
    headers: { 'Content-Type': 'text/html; charset=utf-8', Location: location },
    body: `<a href="${location.replaceAll('&', '&amp;')}">Temporary Redirect</a>.\n\n`,
  };
}
