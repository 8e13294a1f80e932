import { beforeAll } from 'vitest';
import { type SharedKeycloak, shareKeycloak } from '../stack/shared-keycloak.js';
import { startKeycloakWorld } from '../support/keycloak/world.js';
import { isSoak } from '../support/soak.js';
import { describeProviderChaos } from './provider-chaos.js';

let server: SharedKeycloak;
beforeAll(async () => {
  server = await shareKeycloak();
});

// Each event is a real change here, so that this takes minutes.
describeProviderChaos('a real Keycloak', () => startKeycloakWorld(server, false), {
  events: isSoak ? 10_000 : 150,
  seed: 5,
});
