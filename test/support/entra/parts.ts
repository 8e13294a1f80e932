import { systemClock } from '../../../src/clock.js';
import { createEntra, type EntraOptions } from '../../../src/identity/entra/entra.js';
import { Secret } from '../../../src/model/secret.js';
import { noMetrics, silentLogger } from '../../../src/observe.js';
import { type Entra, READER } from './entra.js';
import { guidOf } from './tenant.js';

export const WEBHOOK_SECRETS = ['state-0123456789-current', 'state-0123456789-previous'] as const;

/** The adapter against a contract server; `apis` are names given to `addApi`. */
export function partsOf(
  entra: Entra,
  apis: readonly string[],
  more: Partial<EntraOptions> = {},
): ReturnType<typeof createEntra> {
  return createEntra({
    provider: 'main',
    issuer: entra.issuer,
    graph: entra.origin,
    clientId: READER.clientId,
    credential: { kind: 'secret', clientSecret: new Secret(READER.clientSecret) },
    apis: apis.map(guidOf),
    webhookSecrets: WEBHOOK_SECRETS.map((text) => new Secret(text)),
    clock: systemClock,
    logger: silentLogger,
    metrics: noMetrics,
    wantsPeople: false,
    ...more,
  });
}
