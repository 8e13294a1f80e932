import type { Secret } from '../../model/secret.js';
import type { Logger } from '../../observe.js';
import type { ProviderParts } from '../provider-parts.js';
import { createOktaApi, type OktaApiOptions } from './api.js';
import { createOktaDirectory } from './directory.js';
import { createLogWakeup } from './log-wakeup.js';
import { createOktaNames } from './names.js';
import { createOktaPoll } from './poll.js';
import { createOktaSource } from './webhook.js';

export interface OktaOptions extends OktaApiOptions {
  /** Whose scopes count: authorization servers by id, issuer or audience; the org's address for Okta's own API. */
  readonly apis: readonly string[];
  /** Empty where no event hook is configured. */
  readonly webhookSecrets: readonly Secret[];
  /** Whether the org's register of AI agents is read, which takes the role of a super administrator. */
  readonly aiAgents?: boolean;
  /** Entries to a page; the most that Okta allows by default. */
  readonly pageSize?: number;
  readonly logger: Logger;
}

/** An org with all its parts on one transport and one memory of names. */
export function createOkta(options: OktaOptions): ProviderParts {
  const { provider, clock, webhookSecrets: secrets } = options;
  const names = createOktaNames();
  const news = createLogWakeup(clock);
  const api = createOktaApi(options);
  return {
    directory: createOktaDirectory({ ...options, api, names }),
    poll: createOktaPoll({ ...options, api, names, news }),
    ...(secrets.length === 0 ? {} : { source: createOktaSource({ provider, secrets, names, news }) }),
  };
}
