// An adapter to copy: see ../new.md. It is complete, for an identity provider that does not exist, and passes the suites of
// every adapter (test/conformance/template.test.ts). The comments say what matters. Replace them with your own.

import type { ProviderParts } from '../../../src/identity/provider-parts.js';
import type { Secret } from '../../../src/model/secret.js';
import type { Logger } from '../../../src/observe.js';
import { createTemplateApi, type TemplateApiOptions } from './api.js';
import { createTemplateDirectory } from './directory.js';
import { createTemplatePoll } from './poll.js';
import { createTemplateSource } from './webhook.js';

/**
 * The settings of this kind (config/providers/<kind>.ts), and what every adapter gets. `provider` is the name in the
 * configuration and not the kind: it is part of every key. The schema has checked the issuer.
 */
export interface TemplateOptions extends TemplateApiOptions {
  /** The APIs whose scopes count. Omit it if scopes belong to no API. */
  readonly apis: readonly string[];
  /** Empty if no webhook is configured; several during a rotation. */
  readonly webhookSecrets: readonly Secret[];
  readonly logger: Logger;
}

/**
 * All parts share one transport and one access token. The directory's `close` ends them. Omit the parts that the identity
 * provider lacks.
 */
export function createTemplate(options: TemplateOptions): ProviderParts {
  const api = createTemplateApi(options);
  const { webhookSecrets: secrets } = options;
  return {
    directory: createTemplateDirectory({ ...options, api }),
    poll: createTemplatePoll({ ...options, api }),
    ...(secrets.length === 0 ? {} : { source: createTemplateSource({ ...options, secrets }) }),
    // For a subscription that expires and must be renewed: EventSubscription in src/identity/source.ts.
  };
}
