import { beforeAll } from 'vitest';
import { connectKeycloak, type KeycloakOfRun } from '../stack/connect-keycloak.js';
import { startKeycloakWorld } from '../support/keycloak/world.js';
import { isSoak } from '../support/soak.js';
import { describeProviderChaos } from './provider-chaos.js';

let server: KeycloakOfRun;
beforeAll(async () => {
  server = await connectKeycloak();
});

// Each event is a real change here, so that this takes minutes.
describeProviderChaos('a real Keycloak', () => startKeycloakWorld(server, false), {
  events: isSoak ? 10_000 : 150,
  seed: 5,
});
