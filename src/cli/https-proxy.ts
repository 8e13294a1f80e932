import { configError } from '../errors.js';
import { Secret } from '../model/secret.js';
import type { HttpsProxy } from '../runtime.js';

/** The proxy that the environment names. As with other programs, the name in small letters wins. Throws ERR_CONFIG. */
export function httpsProxyIn(
  environment: Readonly<Record<string, string | undefined>>,
): HttpsProxy | undefined {
  const text = environment.https_proxy ?? environment.HTTPS_PROXY ?? '';
  if (text === '') return undefined;
  const url = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`;
  const isUsable = URL.canParse(url) && ['http:', 'https:'].includes(new URL(url).protocol);
  // It may hold a password.
  if (!isUsable) throw configError('HTTPS_PROXY is not the address of a proxy; write http://HOST:PORT');
  return { url: new Secret(url), except: environment.no_proxy ?? environment.NO_PROXY ?? '' };
}
