import { startOktaWorld } from '../support/okta/world.js';
import { type DirectoryWorld, describeDirectory } from './directory.js';

describeDirectory('okta', async (): Promise<DirectoryWorld> => {
  const world = await startOktaWorld();
  const { org } = world.server;
  const { directory } = world.open({ pageSize: 10 });
  return {
    directory,
    async addClient({ clientId, scopes, attributes = {}, accessTokenLifetimeSeconds }) {
      const minutes = accessTokenLifetimeSeconds === undefined ? 60 : accessTokenLifetimeSeconds / 60;
      world.addClient({ clientId, profile: attributes }, scopes, minutes);
    },
    async addScope(clientId, scope) {
      world.setScopes(clientId, [...world.scopesOf(clientId), scope]);
    },
    async removeScope(clientId, scope) {
      world.setScopes(
        clientId,
        world.scopesOf(clientId).filter((each) => each !== scope),
      );
    },
    async setEnabled(clientId, enabled) {
      org.setStatus(world.app(clientId).id, enabled ? 'ACTIVE' : 'INACTIVE');
    },
    async deleteClient(clientId) {
      org.deleteApp(world.app(clientId).id);
    },
    async stop() {
      await directory.close();
      await world.server.stop();
    },
  };
});
