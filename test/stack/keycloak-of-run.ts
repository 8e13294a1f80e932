import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { KEYCLOAK_OF_RUN } from './connect-keycloak.js';
import { type KeycloakHandle, startKeycloak } from './keycloak.js';

/**
 * Global setup of the projects on real servers: serves the address of the one Keycloak that `connectKeycloak` gives to all
 * of their files. It starts at the first request, so that a run without it waits for nothing.
 */
export default async function offerKeycloak(): Promise<(() => Promise<void>) | undefined> {
  // Each project runs this setup.
  if (process.env[KEYCLOAK_OF_RUN] !== undefined) return undefined;
  let starting: Promise<KeycloakHandle> | undefined;
  const server = createServer((_, response) => {
    starting ??= startKeycloak();
    starting.then(
      ({ address }) => response.end(address),
      (error: unknown) => {
        starting = undefined;
        response.writeHead(500).end(String(error));
      },
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  process.env[KEYCLOAK_OF_RUN] = `http://127.0.0.1:${port}`;
  return async () => {
    server.close();
    server.closeAllConnections();
    await starting?.then((keycloak) => keycloak.stop()).catch(() => {});
  };
}
