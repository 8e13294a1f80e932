import { startFakeKeycloakWorld } from '../support/keycloak/fake-world.js';
import { describeProviderFlow } from './provider-flow.js';

describeProviderFlow('keycloak', startFakeKeycloakWorld, { tellsOfClients: true });
