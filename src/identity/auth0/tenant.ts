import { configError } from '../../errors.js';
import { parseAddress } from '../address.js';

/**
 * The tenant of an issuer. If the issuer is a custom domain, the Management API is still at the tenant's own address, which
 * only the configuration knows (auth0.com/docs/customize/custom-domains). Throws ERR_CONFIG for impossible addresses, and
 * for plain http to another machine unless `insecure` allows it.
 */
export function parseTenant(issuer: string, tenant: string | undefined, insecure = false) {
  const url = parse(issuer, 'issuer', insecure);
  const own = tenant === undefined ? url : parse(tenant, 'tenant', insecure);
  return {
    /** The `iss` of its tokens, with its trailing slash. */
    issuer: url,
    /** `https://<tenant>.<region>.auth0.com/api/v2/`: base of the Management API, and its audience. */
    api: `${own.origin}/api/v2/`,
  };
}

function parse(text: string, field: string, insecure: boolean): URL {
  const url = parseAddress(text, field, insecure);
  if (url.pathname === '/') return url;
  throw configError(
    `${field} must be the address of an Auth0 tenant, for example https://acme.eu.auth0.com/`,
  );
}
