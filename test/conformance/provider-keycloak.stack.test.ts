import { afterAll, beforeAll } from 'vitest';
import { type KeycloakHandle, startKeycloak } from '../stack/keycloak.js';
import { startKeycloakWorld } from '../support/keycloak/world.js';
import { describeProviderFlow } from './provider-flow.js';

let server: KeycloakHandle;
beforeAll(async () => {
  server = await startKeycloak();
});
afterAll(async () => {
  await server?.stop();
});

describeProviderFlow('a real Keycloak', () => startKeycloakWorld(server), { tellsOfClients: true });
