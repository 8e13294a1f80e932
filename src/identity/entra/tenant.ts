import { configError } from '../../errors.js';
import { parseAddress } from '../address.js';

export type EntraTenant = ReturnType<typeof parseTenant>;

/**
 * One tenant of Microsoft Entra ID and its Microsoft Graph. Throws ERR_CONFIG if the issuer is not that of one tenant,
 * and for plain http to another machine, where the access token would travel unencrypted, unless `insecure` allows that.
 */
export function parseTenant(issuerText: string, graphText: string, insecure = false) {
  const issuer = parseAddress(issuerText.replace(/\/+$/, ''), 'issuer', insecure);
  const [, tenantId] = /^\/([^/]+)\/v2\.0$/.exec(issuer.pathname) ?? [];
  if (tenantId === undefined || !isGuid(tenantId)) {
    const form = 'https://login.microsoftonline.com/<tenant id>/v2.0';
    throw configError(`issuer must have the form ${form}, with the tenant's ID instead of its domain`);
  }
  const graph = parseAddress(graphText, 'graph', insecure);
  if (graph.pathname !== '/')
    throw configError('graph must be only the origin of Microsoft Graph, without a path');
  return {
    /** `https://login.microsoftonline.com/<tenant id>/v2.0`, as in tokens of version 2. */
    issuer,
    /** In lower case. */
    tenantId: tenantId.toLowerCase(),
    /** The origin of Microsoft Graph. */
    graph: graph.origin,
  };
}

const GUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Every ID in an Entra directory except those of grants and assignments is a GUID. */
export function isGuid(text: string): boolean {
  return GUID.test(text);
}
