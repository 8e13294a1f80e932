import type { Secret } from '../../model/secret.js';
import type { Directory } from '../directory.js';
import type { EventPoll, EventSource } from '../source.js';
import { createAdminApi } from './admin-api.js';
import { createKeycloakDirectory, type KeycloakDirectoryOptions } from './directory.js';
import { createKeycloakNames } from './names.js';
import { createKeycloakPoll } from './poll.js';
import { createKeycloakSource } from './webhook.js';

export interface KeycloakOptions extends Omit<KeycloakDirectoryOptions, 'names' | 'api'> {
  /** Empty where no webhook is configured. */
  readonly webhookSecrets: readonly Secret[];
}

export interface Keycloak {
  /** Its `close` ends the poll's connections too. */
  readonly directory: Directory;
  readonly poll: EventPoll;
  readonly source?: EventSource;
}

/** A realm with all its parts on one token, one transport and one memory of names. */
export function createKeycloak(options: KeycloakOptions): Keycloak {
  const api = createAdminApi(options);
  const names = createKeycloakNames();
  const { webhookSecrets: secrets } = options;
  return {
    directory: createKeycloakDirectory({ ...options, api, names }),
    poll: createKeycloakPoll({ ...options, api, names }),
    ...(secrets.length === 0 ? {} : { source: createKeycloakSource({ ...options, secrets, names }) }),
  };
}
