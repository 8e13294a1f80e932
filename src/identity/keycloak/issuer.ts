import { configError } from '../../errors.js';
import { parseAddress } from '../address.js';

/**
 * The addresses of a realm, derived from its issuer `<base>/realms/<realm>`. Throws ERR_CONFIG if it has another form, or if
 * it is plain http to another machine, where the client secret would travel unencrypted, unless `insecure` allows that.
 */
export function parseIssuer(text: string, insecure = false) {
  const issuer = parseAddress(text.replace(/\/+$/, ''), 'issuer', insecure);
  const [, prefix, segment] = /^(.*)\/realms\/([^/]+)$/.exec(issuer.pathname) ?? [];
  if (prefix === undefined || segment === undefined)
    throw configError(
      'issuer must be the address of a realm, for example https://sso.example.com/realms/main',
    );
  const realm = decode(segment);
  return {
    /** As configured, without a trailing slash: the `iss` of the realm's tokens. */
    issuer,
    realm,
    /** A client that every realm has. It owns the roles for the Admin REST API. */
    builtInClient: realm === 'master' ? 'master-realm' : 'realm-management',
    /** `<base>/admin/realms/<realm>` */
    admin: `${issuer.origin}${prefix}/admin/realms/${segment}`,
  };
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw configError('issuer: the realm is not valid percent-encoding');
  }
}
