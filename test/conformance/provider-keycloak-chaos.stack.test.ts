import { afterAll, beforeAll } from 'vitest';
import { type KeycloakHandle, startKeycloak } from '../stack/keycloak.js';
import { startKeycloakWorld } from '../support/keycloak/world.js';
import { describeProviderChaos } from './provider-chaos.js';

let server: KeycloakHandle;
beforeAll(async () => {
  server = await startKeycloak();
});
afterAll(async () => {
  await server?.stop();
});

// Each event is a real change here, so that this takes minutes; in full only with FAULTS=all.
describeProviderChaos('a real Keycloak', () => startKeycloakWorld(server, false), {
  events: process.env.FAULTS === 'all' ? 10_000 : 800,
  seed: 5,
});
