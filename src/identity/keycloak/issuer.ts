import { SyncError } from '../../errors.js';

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
  const issuer = URL.canParse(text) ? new URL(text.replace(/\/+$/, '')) : undefined;
  const parts = issuer && /^(.*)\/realms\/([^/]+)$/.exec(issuer.pathname);
  const [, base, segment] = parts ?? [];
  if (issuer === undefined || base === undefined || segment === undefined || issuer.search || issuer.hash) {
    throw configError('the issuer of a Keycloak provider looks like https://sso.example.com/realms/main');
  }
  if (issuer.username !== '' || issuer.password !== '') {
    throw configError('the issuer must hold no user name or password; use clientId and clientSecret');
  }
  const plain = issuer.protocol === 'http:';
  if (!plain && issuer.protocol !== 'https:') throw configError('the issuer must be an https address');
  if (plain && !insecure && !isLoopback(issuer.hostname)) {
    throw configError(`the issuer ${issuer.origin} is plain http on another machine; use https`);
  }
  const admin = `${issuer.origin}${base}/admin/realms/${segment}`;
  return { issuer, realm: decode(segment), admin, plain };
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw configError('the realm in the issuer is not validly percent-encoded');
  }
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname);
}

function configError(message: string): SyncError {
  return new SyncError('ERR_CONFIG', message, { retriable: false });
}
