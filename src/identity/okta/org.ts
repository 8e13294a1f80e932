import { configError } from '../../errors.js';
import { parseAddress } from '../address.js';

/**
 * The address of an organization's API, which is also the issuer of the org authorization server: `https://acme.okta.com`.
 * The configured issuer must be a custom authorization server: only Okta itself can verify the access tokens of the org
 * authorization server (developer.okta.com/docs/concepts/auth-servers). Throws ERR_CONFIG for impossible addresses, and for
 * plain http to another machine unless `insecure` allows it.
 */
export function parseOrg(issuer: string, org: string | undefined, insecure = false): URL {
  const server = parseAddress(issuer, 'issuer', insecure);
  if (!/^\/oauth2\/[A-Za-z0-9_-]+\/?$/.test(server.pathname)) {
    const form = 'https://acme.okta.com/oauth2/default';
    throw configError(`issuer must be a custom authorization server of Okta, for example ${form}`);
  }
  const address = org === undefined ? new URL(server.origin) : parseAddress(org, 'org', insecure);
  if (address.pathname !== '/')
    throw configError('org must be the address of an Okta organization, for example https://acme.okta.com');
  return address;
}
