import type { Secret } from '../../model/secret.js';
import type { ProviderParts } from '../provider-parts.js';
import type { EventPoll } from '../source.js';
import { createEntraDirectory, type EntraDirectoryOptions } from './directory.js';
import { createGraphApi, type GraphApiOptions } from './graph-api.js';
import { EntraNames } from './names.js';
import { createEntraPoll } from './poll.js';
import { createEntraResources } from './resources.js';
import { createEntraSubscription } from './subscription.js';
import { createEntraSource } from './webhook.js';

export interface EntraOptions
  extends GraphApiOptions,
    Omit<EntraDirectoryOptions, 'api' | 'resources' | 'names'> {
  /** The APIs whose scopes count: the `appId` of each, or one of its identifier URIs. */
  readonly apis: readonly string[];
  /** Empty if no webhook is configured. */
  readonly webhookSecrets: readonly Secret[];
  /** The address of the webhook as Graph reaches it. Without it, nothing is subscribed to. */
  readonly webhookUrl?: string;
  /** Changes of people matter from the start: another process may read the members of groups, and an event ends a session of the console. */
  readonly wantsPeople: boolean;
}

/** A tenant. All parts share one access token, one transport and one name cache. */
export function createEntra(options: EntraOptions): ProviderParts & { readonly poll: EventPoll } {
  const api = createGraphApi(options);
  const names = new EntraNames(options);
  const resources = createEntraResources({ ...options, api });
  const parts = {
    directory: createEntraDirectory({ ...options, api, resources, names }),
    poll: createEntraPoll({ ...options, api, resources, names }),
  };
  const { provider, webhookSecrets: secrets, webhookUrl: url } = options;
  if (secrets.length === 0) return parts;
  const requestedRenewals = new Set<string>();
  const source = createEntraSource({ provider, tenant: api.tenant, secrets, requestedRenewals });
  if (url === undefined) return { ...parts, source };
  return {
    ...parts,
    source,
    subscription: createEntraSubscription({ ...options, api, url, secrets, requestedRenewals }),
  };
}
