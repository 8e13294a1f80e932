import { systemClock } from '../../src/clock.js';
import { createAuth0 } from '../../src/identity/auth0/auth0.js';
import { Secret } from '../../src/model/secret.js';
import { noMetrics, silentLogger } from '../../src/observe.js';
import { READER, startAuth0 } from '../support/auth0/auth0.js';
import { type DirectoryWorld, describeDirectory } from './directory.js';

/** A lifetime is the API's at Auth0, so that a client with one of its own has an API of its own. */
const apiOf = (seconds: number) => `https://t-${seconds}.example.com`;
const USUAL = 86_400;

describeDirectory('auth0', async (): Promise<DirectoryWorld> => {
  const tenant = await startAuth0();
  const lifetimes = [USUAL, 120];
  for (const seconds of lifetimes) tenant.addApi(apiOf(seconds), ['t:read', 't:write'], seconds);
  const { directory } = createAuth0({
    provider: 'main',
    issuer: tenant.issuer,
    clientId: READER.clientId,
    clientSecret: new Secret(READER.clientSecret),
    apis: lifetimes.map(apiOf),
    eventStream: false,
    webhookSecrets: [],
    pageSize: 10,
    clock: systemClock,
    logger: silentLogger,
    metrics: noMetrics,
  });
  const scopes = new Map<string, readonly string[]>();
  const setScopes = (clientId: string, next: readonly string[]) => {
    scopes.set(clientId, next);
    tenant.grant(clientId, next, apiOf(USUAL));
  };
  return {
    directory,
    async addClient({ clientId, scopes: granted, attributes = {}, accessTokenLifetimeSeconds }) {
      tenant.addClient(clientId, { client_metadata: attributes });
      if (accessTokenLifetimeSeconds === undefined) setScopes(clientId, granted);
      else tenant.grant(clientId, granted, apiOf(accessTokenLifetimeSeconds));
    },
    async addScope(clientId, scope) {
      setScopes(clientId, [...(scopes.get(clientId) ?? []), scope]);
    },
    async removeScope(clientId, scope) {
      setScopes(
        clientId,
        (scopes.get(clientId) ?? []).filter((each) => each !== scope),
      );
    },
    async setEnabled(clientId, enabled) {
      tenant.changeClient(clientId, { grant_types: enabled ? ['client_credentials'] : [] });
    },
    async deleteClient(clientId) {
      tenant.changeClient(clientId, undefined);
    },
    async stop() {
      await directory.close();
      await tenant.close();
    },
  };
});
