import type { Secret } from '../../model/secret.js';
import type { ProviderParts } from '../provider-parts.js';
import type { EventPoll } from '../source.js';
import { type Auth0DirectoryOptions, createAuth0Directory } from './directory.js';
import { createManagementApi, type ManagementApiOptions } from './management-api.js';
import { Auth0Names } from './names.js';
import { createAuth0Poll } from './poll.js';
import { createAuth0Source } from './webhook.js';

export interface Auth0Options extends ManagementApiOptions, Omit<Auth0DirectoryOptions, 'api' | 'names'> {
  /** Complete values of the `Authorization` header of the log stream. Empty if none is configured. */
  readonly webhookSecrets: readonly Secret[];
}

/** A tenant. All parts share one access token, one transport and one name cache. */
export function createAuth0(options: Auth0Options): ProviderParts & { readonly poll: EventPoll } {
  const { provider, webhookSecrets: secrets } = options;
  const api = createManagementApi(options);
  const names = new Auth0Names();
  return {
    directory: createAuth0Directory({ ...options, api, names }),
    poll: createAuth0Poll({ ...options, api, names }),
    ...(secrets.length === 0 ? {} : { source: createAuth0Source({ provider, secrets, names }) }),
  };
}
