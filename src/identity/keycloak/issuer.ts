import { configError } from '../../errors.js';
import { parseAddress } from '../address.js';

/** The addresses of a realm, all derived from its issuer. */
export interface KeycloakIssuer {
  /** As configured, without a trailing slash: the `iss` of the realm's tokens. */
  readonly issuer: URL;
  readonly realm: string;
  /** A client that every realm has. It owns the roles for the Admin REST API. */
  readonly builtInClient: string;
  /** `<base>/admin/realms/<realm>` */
  readonly admin: string;
  /** The realm may be read over plain http. */
  readonly plain: boolean;
}

/**
 * Parses `<base>/realms/<realm>`. Throws ERR_CONFIG if it has another form, or if it is plain http to another machine, where
 * the client secret would travel unencrypted, unless `insecure` allows that.
 */
export function parseIssuer(text: string, insecure = false): KeycloakIssuer {
  const issuer = parseAddress(text.replace(/\/+$/, ''), 'issuer', insecure);
  const [, prefix, segment] = /^(.*)\/realms\/([^/]+)$/.exec(issuer.pathname) ?? [];
  if (prefix === undefined || segment === undefined)
    throw configError(
      'issuer must be the address of a realm, for example https://sso.example.com/realms/main',
    );
  const plain = issuer.protocol === 'http:';
  const admin = `${issuer.origin}${prefix}/admin/realms/${segment}`;
  const realm = decode(segment);
  const builtInClient = realm === 'master' ? 'master-realm' : 'realm-management';
  return { issuer, realm, builtInClient, admin, plain };
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw configError('issuer: the realm is not valid percent-encoding');
  }
}
