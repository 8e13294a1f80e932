import { SyncError } from '../errors.js';

/**
 * An address of an IdP as the configuration has it: https, or http to this machine, elsewhere only where `insecure`
 * allows it, since tokens and secrets would travel readable. `field` is the key that holds it. Throws ERR_CONFIG.
 */
export function parseAddress(text: string, field: string, insecure: boolean): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (
    url === undefined ||
    !['https:', 'http:'].includes(url.protocol) ||
    url.search !== '' ||
    url.hash !== ''
  )
    throw badAddress(`${field} must be an https address without query or fragment`);
  if (url.username !== '' || url.password !== '')
    throw badAddress(`${field} must hold no user name or password; give them by their own keys`);
  if (url.protocol === 'http:' && !insecure && !isLoopback(url.hostname))
    throw badAddress(`${field} ${url.origin} is plain http on another machine; use https`);
  return url;
}

export function badAddress(message: string): SyncError {
  return new SyncError('ERR_CONFIG', message, { retriable: false });
}

/** This machine, by a name or number that no resolver decides. */
export function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname);
}
