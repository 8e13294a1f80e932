import { badAddress, parseAddress } from '../address.js';

/** Where a realm is found, all derived from its issuer. */
export interface KeycloakIssuer {
  /** As configured, without a trailing slash: the `iss` of the realm's tokens. */
  readonly issuer: URL;
  readonly realm: string;
  /** `<base>/admin/realms/<realm>` */
  readonly admin: string;
  /** The realm may be read without TLS. */
  readonly plain: boolean;
}

/**
 * `<base>/realms/<realm>` taken apart. ERR_CONFIG if it is none, or if it is plain http to another machine,
 * over which the client secret would travel readable, unless `insecure` allows just that.
 */
export function parseIssuer(text: string, insecure = false): KeycloakIssuer {
  const issuer = parseAddress(text.replace(/\/+$/, ''), 'issuer', insecure);
  const [, base, segment] = /^(.*)\/realms\/([^/]+)$/.exec(issuer.pathname) ?? [];
  if (base === undefined || segment === undefined)
    throw badAddress('the issuer of a Keycloak provider looks like https://sso.example.com/realms/main');
  const plain = issuer.protocol === 'http:';
  const admin = `${issuer.origin}${base}/admin/realms/${segment}`;
  return { issuer, realm: decode(segment), admin, plain };
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw badAddress('the realm in the issuer is not validly percent-encoded');
  }
}
