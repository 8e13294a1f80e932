import { badAddress, parseAddress } from '../address.js';

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
  const issuer = parseAddress(issuerText.replace(/\/+$/, ''), 'issuer', insecure);
  const [, tenantId] = /^\/([^/]+)\/v2\.0$/.exec(issuer.pathname) ?? [];
  if (tenantId === undefined || !isGuid(tenantId)) {
    const form = 'https://login.microsoftonline.com/<tenant id>/v2.0';
    throw badAddress(
      `the issuer of an Entra provider looks like ${form}, with the tenant's id, not its domain`,
    );
  }
  const graph = parseAddress(graphText, 'graph', insecure);
  if (graph.pathname !== '/')
    throw badAddress('graph is the origin of Microsoft Graph alone, without a path');
  const plain = issuer.protocol === 'http:' || graph.protocol === 'http:';
  return { issuer, tenantId: tenantId.toLowerCase(), graph: graph.origin, plain };
}

const GUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Every id in a directory of Entra but those of grants and assignments is a GUID. */
export function isGuid(text: string): boolean {
  return GUID.test(text);
}
