import type { Clock } from '../../clock.js';
import { SyncError } from '../../errors.js';
import type { Secret } from '../../model/secret.js';
import type { Logger, Metrics } from '../../observe.js';
import { isLoopback } from '../address.js';
import type { DocumentDirectory } from './document.js';
import { createFileDirectory } from './file-directory.js';
import { createUrlDirectory } from './url-directory.js';

export interface OidcDirectoryOptions {
  readonly provider: string;
  /** A file's path, or an http(s) URL. */
  readonly directory: string;
  /** Sent as `Authorization: Bearer …`, only to the origin of `directory`. */
  readonly directoryToken?: Secret;
  /** For one page, the body included; 10,000 by default. */
  readonly timeoutMs?: number;
  /** The longest page or file that is read; 32 MiB by default. */
  readonly maxBytes?: number;
  /** 1,000 by default. */
  readonly maxPages?: number;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/**
 * The directory of the provider kind `oidc`: clients in a JSON document that anything can write. Throws
 * ERR_CONFIG for an address or a token that can never work.
 */
export function createOidcDirectory(options: OidcDirectoryOptions): DocumentDirectory {
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(options.directory)) {
    if (options.directory === '') throw invalid('is empty: write a file path or an http(s) URL');
    return createFileDirectory({ ...options, path: options.directory });
  }
  const url = URL.canParse(options.directory) ? new URL(options.directory) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol)) {
    throw invalid('is not an http(s) URL; a file is written as a plain path');
  }
  if (url.username !== '' || url.password !== '') {
    throw invalid('holds a user name or password: use directoryToken instead');
  }
  url.hash = '';
  const token = options.directoryToken;
  // A line break kept from a file would make every request fail with a message that points elsewhere.
  if (token !== undefined && !/^[\x21-\x7e]+$/.test(token.reveal())) {
    throw invalid('has a directoryToken that is empty, or holds spaces, line breaks or other than ASCII');
  }
  if (token !== undefined && url.protocol === 'http:' && !isLoopback(url.hostname)) {
    options.logger.warn(
      { provider: options.provider, host: url.hostname },
      'directory token travels unencrypted: use https',
    );
  }
  return createUrlDirectory({ ...options, url });

  function invalid(reason: string): SyncError {
    return new SyncError('ERR_CONFIG', `provider ${options.provider}: directory ${reason}`, {
      retriable: false,
    });
  }
}
