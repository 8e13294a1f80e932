import { beforeAll } from 'vitest';
import { connectKeycloak, type KeycloakOfRun } from '../stack/connect-keycloak.js';
import { startKeycloakWorld } from '../support/keycloak/world.js';
import { describeProviderFlow } from './provider-flow.js';

let server: KeycloakOfRun;
beforeAll(async () => {
  server = await connectKeycloak();
});

describeProviderFlow('a real Keycloak', () => startKeycloakWorld(server), { tellsOfClients: true });
