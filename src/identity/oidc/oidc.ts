import type { Secret } from '../../model/secret.js';
import type { ProviderParts } from '../provider-parts.js';
import { createOidcDirectory, type OidcDirectoryOptions } from './directory.js';
import { createOidcPoll } from './poll.js';
import { createOidcSource } from './webhook.js';

interface OidcOptions extends OidcDirectoryOptions {
  /** Empty if no webhook is configured. */
  readonly webhookSecrets: readonly Secret[];
}

/** A directory document with signed events. */
export function createOidc(options: OidcOptions): ProviderParts {
  const { provider, clock, webhookSecrets: secrets } = options;
  return {
    ...createOidcPoll({ ...options, directory: createOidcDirectory(options) }),
    ...(secrets.length === 0 ? {} : { source: createOidcSource({ provider, secrets, clock }) }),
  };
}
