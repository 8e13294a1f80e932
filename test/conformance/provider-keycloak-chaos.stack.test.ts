import { beforeAll } from 'vitest';
import { type SharedKeycloak, shareKeycloak } from '../stack/shared-keycloak.js';
import { startKeycloakWorld } from '../support/keycloak/world.js';
import { describeProviderChaos } from './provider-chaos.js';

let server: SharedKeycloak;
beforeAll(async () => {
  server = await shareKeycloak();
});

// Each event is a real change here, so that this takes minutes; in full only with FAULTS=all.
describeProviderChaos('a real Keycloak', () => startKeycloakWorld(server, false), {
  events: process.env.FAULTS === 'all' ? 10_000 : 300,
  seed: 5,
});
