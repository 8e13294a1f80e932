import { configError } from '../../errors.js';
import { parseAddress } from '../address.js';

/** The addresses of an organization. */
export interface OktaOrg {
  /** `https://acme.okta.com`: the address of the API, and the issuer of the org authorization server. */
  readonly address: URL;
  /** The org may be read over plain http. */
  readonly plain: boolean;
}

/**
 * The org of an issuer. The issuer must be a custom authorization server: only Okta itself can verify the access tokens of
 * the org authorization server (developer.okta.com/docs/concepts/auth-servers). Throws ERR_CONFIG for impossible addresses,
 * and for plain http to another machine unless `insecure` allows it.
 */
export function parseOrg(issuer: string, org: string | undefined, insecure = false): OktaOrg {
  const server = parseAddress(issuer, 'issuer', insecure);
  if (!/^\/oauth2\/[A-Za-z0-9_-]+\/?$/.test(server.pathname)) {
    const form = 'https://acme.okta.com/oauth2/default';
    throw configError(`issuer must be a custom authorization server of Okta, for example ${form}`);
  }
  const address = org === undefined ? new URL(server.origin) : parseAddress(org, 'org', insecure);
  if (address.pathname !== '/')
    throw configError('org must be the address of an Okta organization, for example https://acme.okta.com');
  return { address, plain: address.protocol === 'http:' };
}
