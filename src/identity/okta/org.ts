import { badAddress, parseAddress } from '../address.js';

/** Where an organization is found. */
export interface OktaOrg {
  /** `https://acme.okta.com`: where the API is, and the issuer of the org authorization server. */
  readonly address: URL;
  /** The org may be asked without TLS. */
  readonly plain: boolean;
}

/**
 * The org behind an issuer. The issuer is that of a custom authorization server, whose access tokens others can verify;
 * those of the org authorization server are for Okta alone (developer.okta.com/docs/concepts/auth-servers). ERR_CONFIG
 * for addresses that cannot be right, or plain http to another machine unless `insecure` allows it.
 */
export function parseOrg(issuer: string, org: string | undefined, insecure = false): OktaOrg {
  const server = parseAddress(issuer, 'issuer', insecure);
  if (!/^\/oauth2\/[A-Za-z0-9_-]+\/?$/.test(server.pathname)) {
    const form = 'https://acme.okta.com/oauth2/default';
    throw badAddress(`the issuer of an Okta provider is a custom authorization server's, as in ${form}`);
  }
  const address = org === undefined ? new URL(server.origin) : parseAddress(org, 'org', insecure);
  if (address.pathname !== '/')
    throw badAddress('the org of an Okta provider looks like https://acme.okta.com');
  return { address, plain: address.protocol === 'http:' };
}
