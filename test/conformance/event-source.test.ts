import { describeEventSource } from './event-source.js';
import { ENTRA_EVENTS } from './event-source-harness-entra.js';
import { SSF_EVENTS } from './event-source-harness-ssf.js';
import { AUTH0_EVENTS, KEYCLOAK_EVENTS, OIDC_EVENTS, OKTA_EVENTS } from './event-source-harnesses.js';

describeEventSource('oidc', OIDC_EVENTS);
describeEventSource('keycloak', KEYCLOAK_EVENTS);
describeEventSource('auth0', AUTH0_EVENTS);
describeEventSource('okta', OKTA_EVENTS);
describeEventSource('entra', ENTRA_EVENTS);
describeEventSource('of shared signals', SSF_EVENTS);
