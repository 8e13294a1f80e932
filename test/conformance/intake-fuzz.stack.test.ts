import { isSoak } from '../support/soak.js';
import { ENTRA_EVENTS } from './event-source-harness-entra.js';
import { SSF_EVENTS } from './event-source-harness-ssf.js';
import { AUTH0_EVENTS, KEYCLOAK_EVENTS, OIDC_EVENTS, OKTA_EVENTS } from './event-source-harnesses.js';
import { describeIntakeFuzz } from './intake-fuzz.js';

/** To each endpoint. They take long, which is why they stand beside the real servers. */
const requests = isSoak ? 17_000 : 4_000;

describeIntakeFuzz('oidc', OIDC_EVENTS, { requests, seed: 1 });
describeIntakeFuzz('keycloak', KEYCLOAK_EVENTS, { requests, seed: 2 });
describeIntakeFuzz('auth0', AUTH0_EVENTS, { requests, seed: 3 });
describeIntakeFuzz('okta', OKTA_EVENTS, { requests, seed: 4 });
describeIntakeFuzz('entra', ENTRA_EVENTS, { requests, seed: 5 });
describeIntakeFuzz('shared signals', SSF_EVENTS, { requests, seed: 6 });
