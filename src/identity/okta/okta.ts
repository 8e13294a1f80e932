import type { Secret } from '../../model/secret.js';
import { createNotifier } from '../../notifier.js';
import type { ProviderParts } from '../provider-parts.js';
import { createOktaApi, type OktaApiOptions } from './api.js';
import { createOktaDirectory, type OktaDirectoryOptions } from './directory.js';
import { OktaNames } from './names.js';
import { createOktaPoll } from './poll.js';
import { createOktaSource } from './webhook.js';

export interface OktaOptions extends OktaApiOptions, Omit<OktaDirectoryOptions, 'api' | 'names'> {
  /** Empty if no event hook is configured. */
  readonly webhookSecrets: readonly Secret[];
}

/** An org. All parts share one transport and one name cache. */
export function createOkta(options: OktaOptions): ProviderParts {
  const { provider, webhookSecrets: secrets } = options;
  const names = new OktaNames();
  const hints = createNotifier();
  const api = createOktaApi(options);
  return {
    directory: createOktaDirectory({ ...options, api, names }),
    poll: createOktaPoll({ ...options, api, names, hints }),
    ...(secrets.length === 0 ? {} : { source: createOktaSource({ provider, secrets, names, hints }) }),
  };
}
