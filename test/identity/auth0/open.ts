import type { Clock } from '../../../src/clock.js';
import { systemClock } from '../../../src/clock.js';
import { type Auth0Options, createAuth0 } from '../../../src/identity/auth0/auth0.js';
import { Secret } from '../../../src/model/secret.js';
import { noMetrics, silentLogger } from '../../../src/observe.js';
import { API, type Auth0, READER } from '../../support/auth0/auth0.js';

/** The adapter on a stand-in tenant. */
export function openAuth0(tenant: Auth0, options: Partial<Auth0Options> & { clock?: Clock } = {}) {
  return createAuth0({
    provider: 'main',
    issuer: tenant.issuer,
    clientId: READER.clientId,
    clientSecret: new Secret(READER.clientSecret),
    apis: [API],
    eventStream: false,
    webhookSecrets: [],
    clock: systemClock,
    logger: silentLogger,
    metrics: noMetrics,
    ...options,
  });
}
