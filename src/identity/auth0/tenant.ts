import { SyncError } from '../../errors.js';

/** Where a tenant is found. */
export interface Auth0Tenant {
  /** The `iss` of its tokens, with its trailing slash. */
  readonly issuer: URL;
  /** `https://<tenant>.<region>.auth0.com/api/v2/`: base of the Management API, and its audience. */
  readonly api: string;
  /** The tenant may be asked without TLS. */
  readonly plain: boolean;
}

/**
 * The tenant behind an issuer. Behind a custom domain the Management API is still that of the tenant's own address,
 * which only the configuration knows (auth0.com/docs/customize/custom-domains). ERR_CONFIG for addresses that cannot
 * be right, or plain http to another machine unless `insecure` allows it.
 */
export function parseTenant(issuer: string, tenant: string | undefined, insecure = false): Auth0Tenant {
  const url = parse(issuer, 'issuer', insecure);
  const own = tenant === undefined ? url : parse(tenant, 'tenant', insecure);
  return {
    issuer: url,
    api: `${own.origin}/api/v2/`,
    plain: url.protocol === 'http:' || own.protocol === 'http:',
  };
}

function parse(text: string, field: string, insecure: boolean): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.pathname !== '/' || url.search !== '' || url.hash !== '')
    throw configError(`the ${field} of an Auth0 provider looks like https://acme.eu.auth0.com/`);
  if (url.username !== '' || url.password !== '')
    throw configError(`the ${field} must hold no user name or password; use clientId and clientSecret`);
  if (url.protocol === 'http:' && !insecure && !isLoopback(url.hostname))
    throw configError(`the ${field} ${url.origin} is plain http on another machine; use https`);
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    throw configError(`the ${field} must be an https address`);
  return url;
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname);
}

function configError(message: string): SyncError {
  return new SyncError('ERR_CONFIG', message, { retriable: false });
}
