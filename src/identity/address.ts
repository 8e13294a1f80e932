import { configError } from '../errors.js';
import { isLoopback } from '../model/is-loopback.js';

/**
 * An address of an identity provider from the configuration. It must be https, or http to this machine. `insecure` allows
 * http to other machines, where tokens and secrets then travel unencrypted. `field` is the configuration key. Throws
 * ERR_CONFIG.
 */
export function parseAddress(text: string, field: string, insecure: boolean): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (
    url === undefined ||
    !['https:', 'http:'].includes(url.protocol) ||
    url.search !== '' ||
    url.hash !== ''
  )
    throw configError(`${field} must be an https address without query or fragment`);
  if (url.username !== '' || url.password !== '')
    throw configError(`${field} must not contain a user name or password; use their own keys instead`);
  if (url.protocol === 'http:' && !insecure && !isLoopback(url.hostname))
    throw configError(`${field} ${url.origin} is plain http to another machine; use https`);
  return url;
}
