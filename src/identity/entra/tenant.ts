import { SyncError } from '../../errors.js';

/** One tenant of Microsoft Entra ID and the Microsoft Graph that tells of it. */
export interface EntraTenant {
  /** `https://login.microsoftonline.com/<tenant id>/v2.0`, as it stands in tokens of version 2. */
  readonly issuer: URL;
  /** In lower case. */
  readonly tenantId: string;
  /** The origin of Microsoft Graph. */
  readonly graph: string;
  /** Plain http is allowed, for both. */
  readonly plain: boolean;
}

/**
 * ERR_CONFIG for an issuer that is not that of one tenant, or for plain http to another machine, over which the
 * access token would travel readable, unless `insecure` allows just that.
 */
export function parseTenant(issuerText: string, graphText: string, insecure = false): EntraTenant {
  const issuer = parseUrl(issuerText.replace(/\/+$/, ''), 'issuer');
  const [, tenantId] = /^\/([^/]+)\/v2\.0$/.exec(issuer.pathname) ?? [];
  if (tenantId === undefined || !isGuid(tenantId)) {
    const form = 'https://login.microsoftonline.com/<tenant id>/v2.0';
    throw configError(
      `the issuer of an Entra provider looks like ${form}, with the tenant's id, not its domain`,
    );
  }
  const graph = parseUrl(graphText, 'graph');
  if (graph.pathname !== '/')
    throw configError('graph is the origin of Microsoft Graph alone, without a path');
  for (const url of [issuer, graph]) {
    const isSafe = url.protocol === 'https:' || insecure || isLoopback(url.hostname);
    if (!isSafe) throw configError(`${url.origin} is plain http on another machine; use https`);
  }
  const plain = issuer.protocol === 'http:' || graph.protocol === 'http:';
  return { issuer, tenantId: tenantId.toLowerCase(), graph: graph.origin, plain };
}

const GUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Every id in a directory of Entra but those of grants and assignments is a GUID. */
export function isGuid(text: string): boolean {
  return GUID.test(text);
}

function parseUrl(text: string, key: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (
    url === undefined ||
    !['http:', 'https:'].includes(url.protocol) ||
    url.search !== '' ||
    url.hash !== ''
  )
    throw configError(`${key} must be an https address without query or fragment`);
  if (url.username !== '' || url.password !== '')
    throw configError(`${key} must hold no user name or password`);
  return url;
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname);
}

function configError(message: string): SyncError {
  return new SyncError('ERR_CONFIG', message, { retriable: false });
}
