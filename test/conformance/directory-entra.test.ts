import { randomUUID } from 'node:crypto';
import { type Entra, principalOf, startEntra } from '../support/entra/entra.js';
import { partsOf } from '../support/entra/parts.js';
import { guidOf } from '../support/entra/tenant.js';
import { type DirectoryWorld, describeDirectory, describeMembers, type MembersWorld } from './directory.js';

const start = async (): Promise<Entra> => {
  const entra = await startEntra();
  entra.shape.maxPage = 10;
  return entra;
};

describeDirectory('entra', async (): Promise<DirectoryWorld> => {
  const entra = await start();
  entra.addApi('orders', ['t:read', 't:write']);
  const { directory } = partsOf(entra, ['orders']);
  const names = new Map<string, string>();
  const nameOf = (clientId: string) => names.get(clientId) ?? clientId;
  return {
    directory,
    clientIdOf(name) {
      names.set(guidOf(name), name);
      return guidOf(name);
    },
    async addClient({ clientId, scopes, attributes = {}, accessTokenLifetimeSeconds: seconds }) {
      const name = nameOf(clientId);
      const notes = Object.entries(attributes).map(([key, value]) => `${key}: ${value}`);
      entra.addClient(name, { principal: { notes: notes.join('\n') } });
      for (const scope of scopes) entra.assignRole(name, 'orders', scope);
      if (seconds !== undefined) entra.setLifetime(name, `00:${seconds / 60}:00`, [principalOf(name)]);
    },
    async addScope(clientId, scope) {
      entra.assignRole(nameOf(clientId), 'orders', scope);
    },
    async removeScope(clientId, scope) {
      entra.unassignRole(nameOf(clientId), 'orders', scope);
    },
    async setEnabled(clientId, accountEnabled) {
      entra.changePrincipal(nameOf(clientId), { accountEnabled });
    },
    async deleteClient(clientId) {
      entra.deleteClient(nameOf(clientId));
    },
    async stop() {
      await directory.close();
      await entra.close();
    },
  };
});

describeMembers('entra', async (): Promise<MembersWorld> => {
  const entra = await start();
  const { directory } = partsOf(entra, []);
  const edit = (group: string, change: (members: readonly unknown[]) => readonly unknown[]) => {
    const known = entra.tenant.get('groups', group);
    const members = Array.isArray(known?.members) ? known.members : [];
    entra.tenant.put('groups', { ...known, id: group, members: change(members) });
  };
  return {
    directory,
    async addGroup(name) {
      const id = guidOf(`group/${name}`);
      entra.tenant.put('groups', { id, displayName: name, securityEnabled: true, members: [] });
      return id;
    },
    async addPerson(name, groups) {
      const id = randomUUID();
      entra.tenant.put('users', { id, displayName: name, accountEnabled: true });
      for (const group of groups) edit(group, (members) => [...members, id]);
      return id;
    },
    async join(subject, group) {
      edit(group, (members) => [...members, subject]);
    },
    async leave(subject, group) {
      edit(group, (members) => members.filter((each) => each !== subject));
    },
    async setPersonEnabled(subject, accountEnabled) {
      entra.tenant.put('users', { id: subject, accountEnabled });
    },
    async deletePerson(subject) {
      entra.tenant.remove('users', subject);
    },
    async stop() {
      await directory.close();
      await entra.close();
    },
  };
});
