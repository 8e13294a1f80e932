import { beforeAll } from 'vitest';
import { type SharedKeycloak, shareKeycloak } from '../stack/shared-keycloak.js';
import { startKeycloakWorld } from '../support/keycloak/world.js';
import { describeProviderFlow } from './provider-flow.js';

let server: SharedKeycloak;
beforeAll(async () => {
  server = await shareKeycloak();
});

describeProviderFlow('a real Keycloak', () => startKeycloakWorld(server), { tellsOfClients: true });
