import { configError } from '../../errors.js';
import { isLoopback } from '../../model/is-loopback.js';
import type { Runtime } from '../../runtime.js';
import type { DocumentDirectory } from './document.js';
import { createFileDirectory } from './file-directory.js';
import { createUrlDirectory, type UrlDirectoryOptions } from './url-directory.js';

export interface OidcDirectoryOptions extends Omit<UrlDirectoryOptions, 'url'>, Runtime {
  /** The path of a file, or an http(s) URL. */
  readonly directory: string;
}

/**
 * The directory of the provider kind `oidc`: clients in a JSON document that any program can write. Throws ERR_CONFIG for
 * an address or an access token that cannot be valid.
 */
export function createOidcDirectory(options: OidcDirectoryOptions): DocumentDirectory {
  const { provider, directory, directoryToken } = options;
  const invalid = (reason: string) => configError(`provider ${provider}: directory ${reason}`);
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(directory)) {
    if (directory === '') throw invalid('is empty; write a file path or an http(s) URL');
    return createFileDirectory({ ...options, path: directory });
  }
  const url = URL.canParse(directory) ? new URL(directory) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol))
    throw invalid('is not an http(s) URL; write a file as a plain path');
  if (url.username !== '' || url.password !== '')
    throw invalid('contains a user name or password; use directoryToken instead');
  url.hash = '';
  // A line break from a file would make every request fail with a misleading message.
  if (directoryToken !== undefined && !/^[\x21-\x7e]+$/.test(directoryToken.reveal()))
    throw invalid(
      'has a directoryToken that is empty, or that contains spaces, line breaks or non-ASCII characters',
    );
  if (directoryToken !== undefined && url.protocol === 'http:' && !isLoopback(url.hostname))
    options.logger.warn({ provider, host: url.hostname }, 'directoryToken is sent unencrypted; use https');
  return createUrlDirectory({ ...options, url });
}
