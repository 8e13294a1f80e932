import { SyncError } from '../../errors.js';

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
  const server = parse(issuer, 'issuer', insecure);
  if (!/^\/oauth2\/[A-Za-z0-9_-]+\/?$/.test(server.pathname)) {
    const form = 'https://acme.okta.com/oauth2/default';
    throw configError(`the issuer of an Okta provider is a custom authorization server's, as in ${form}`);
  }
  const address = org === undefined ? new URL(server.origin) : parse(org, 'org', insecure);
  if (address.pathname !== '/')
    throw configError('the org of an Okta provider looks like https://acme.okta.com');
  return { address, plain: address.protocol === 'http:' };
}

function parse(text: string, field: string, insecure: boolean): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.search !== '' || url.hash !== '' || url.username !== '' || url.password !== '')
    throw configError(`the ${field} of an Okta provider must be a plain https address`);
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
