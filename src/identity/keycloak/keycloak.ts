import type { Secret } from '../../model/secret.js';
import type { ProviderParts } from '../provider-parts.js';
import type { EventPoll } from '../source.js';
import { createAdminApi } from './admin-api.js';
import { createKeycloakDirectory, type KeycloakDirectoryOptions } from './directory.js';
import { KeycloakNames } from './names.js';
import { createKeycloakPoll } from './poll.js';
import { createKeycloakSource } from './webhook.js';

export interface KeycloakOptions extends Omit<KeycloakDirectoryOptions, 'names' | 'api'> {
  /** Empty if no webhook is configured. */
  readonly webhookSecrets: readonly Secret[];
}

/** A realm. All parts share one access token, one transport and one name cache. */
export function createKeycloak(options: KeycloakOptions): ProviderParts & { readonly poll: EventPoll } {
  const api = createAdminApi(options);
  const names = new KeycloakNames();
  const { webhookSecrets: secrets } = options;
  return {
    directory: createKeycloakDirectory({ ...options, api, names }),
    poll: createKeycloakPoll({ ...options, api, names }),
    ...(secrets.length === 0 ? {} : { source: createKeycloakSource({ ...options, secrets, names }) }),
  };
}
