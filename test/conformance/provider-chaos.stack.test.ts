import { startAuth0World } from '../support/auth0/world.js';
import { startNotifyingEntraWorld } from '../support/entra/world.js';
import { startFakeKeycloakWorld } from '../support/keycloak/fake-world.js';
import { startOidcWorld } from '../support/oidc-world.js';
import { startOktaProviderWorld } from '../support/okta/world.js';
import { isSoak } from '../support/soak.js';
import { startSsfWorld } from '../support/ssf/world.js';
import { describeProviderChaos } from './provider-chaos.js';

/** All kinds together take minutes, so this runs with the suites on real servers. */
const events = isSoak ? 10_000 : 300;

describeProviderChaos('oidc', startOidcWorld, { events, seed: 1 });
describeProviderChaos('auth0', startAuth0World, { events, seed: 2 });
describeProviderChaos('entra', startNotifyingEntraWorld, { events, seed: 3 });
describeProviderChaos('okta', startOktaProviderWorld, { events, seed: 4 });
describeProviderChaos('keycloak', startFakeKeycloakWorld, { events, seed: 5 });
describeProviderChaos('shared signals', startSsfWorld, { events, seed: 6 });
