import { startOktaWorld } from '../support/okta/world.js';
import { describeMembers, type MembersWorld } from './directory.js';

describeMembers('okta', async (): Promise<MembersWorld> => {
  const world = await startOktaWorld();
  const { org } = world.server;
  world.server.pageLimit = 10;
  const { directory } = world.open();
  const groupOf = (name: string) => {
    const found = org.shown.groups.find((group) => group.name === name);
    if (found === undefined) throw new Error(`no group ${name}`);
    return found;
  };
  const userOf = (login: string) => {
    const found = org.shown.users.find((user) => user.login === login);
    if (found === undefined) throw new Error(`no user ${login}`);
    return found;
  };
  const setMembers = (group: string, change: (ids: readonly string[]) => readonly string[]) => {
    const ids = change(groupOf(group).members);
    org.setMembers(
      groupOf(group).id,
      org.shown.users.filter(({ id }) => ids.includes(id)),
    );
  };
  return {
    directory,
    async addGroup(name) {
      return org.addGroup(name).name;
    },
    async addPerson(name, groups) {
      const { id, login } = org.addUser(`${name}@example.com`);
      for (const group of groups) setMembers(group, (ids) => [...ids, id]);
      return login;
    },
    async join(subject, group) {
      setMembers(group, (ids) => [...ids, userOf(subject).id]);
    },
    async leave(subject, group) {
      setMembers(group, (ids) => ids.filter((id) => id !== userOf(subject).id));
    },
    async setPersonEnabled(subject, enabled) {
      const [status, event] = enabled
        ? ['ACTIVE', 'user.lifecycle.unsuspend']
        : ['SUSPENDED', 'user.lifecycle.suspend'];
      org.setUserStatus(subject, status, event);
    },
    async deletePerson(subject) {
      org.deleteUser(subject);
    },
    async stop() {
      await directory.close();
      await world.server.stop();
    },
  };
});
