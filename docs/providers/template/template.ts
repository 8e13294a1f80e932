// An adapter to copy: see ../new.md. It is a whole one, for an IdP that does not exist, and passes the suites that
// every adapter passes (test/conformance/template.test.ts). Comments say what to mind; replace them by your own.
import type { Clock } from '../../../src/clock.js';
import type { ProviderParts } from '../../../src/identity/provider-parts.js';
import type { Secret } from '../../../src/model/secret.js';
import type { Logger, Metrics } from '../../../src/observe.js';
import { createTemplateApi } from './api.js';
import { createTemplateDirectory } from './directory.js';
import { createTemplatePoll } from './poll.js';
import { createTemplateSource } from './webhook.js';

/** The settings of this kind (config/providers/<kind>.ts) and what every adapter is given. */
export interface TemplateOptions {
  /** The name in the configuration, not the kind: it is part of every key. */
  readonly provider: string;
  /** Where the API is; checked by the schema already. */
  readonly issuer: string;
  readonly apiToken: Secret;
  /** The APIs whose scopes count. Leave it out where scopes belong to no API. */
  readonly apis: readonly string[];
  /** Empty where no webhook is configured; several while one is rotated. */
  readonly webhookSecrets: readonly Secret[];
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** One transport and one token for all parts; the directory's `close` ends it. Leave out what the IdP has not. */
export function createTemplate(options: TemplateOptions): ProviderParts {
  const api = createTemplateApi(options);
  const { webhookSecrets: secrets } = options;
  return {
    directory: createTemplateDirectory({ ...options, api }),
    poll: createTemplatePoll({ ...options, api }),
    ...(secrets.length === 0 ? {} : { source: createTemplateSource({ ...options, secrets }) }),
    // A subscription that ends and must be renewed: EventSubscription in src/identity/source.ts.
  };
}
