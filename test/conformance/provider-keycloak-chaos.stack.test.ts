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

// Ten thousand are played on the stand-in. Here each event is a real change, and a real Keycloak on two cores takes a
// minute for a thousand, with what the daemon reads meanwhile.
describeProviderChaos('a real Keycloak', () => startKeycloakWorld(server, false), {
  events: 1_000,
  seed: 5,
});
