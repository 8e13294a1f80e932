import { systemClock } from '../../src/clock.js';
import { createAuth0 } from '../../src/identity/auth0/auth0.js';
import { Secret } from '../../src/model/secret.js';
import { noMetrics, silentLogger } from '../../src/observe.js';
import { API, READER, startAuth0 } from '../support/auth0/auth0.js';
import { describeMembers, type MembersWorld } from './directory.js';

describeMembers('auth0', async (): Promise<MembersWorld> => {
  const tenant = await startAuth0();
  tenant.addApi(API, ['t:read']);
  const { directory } = createAuth0({
    provider: 'main',
    issuer: tenant.issuer,
    clientId: READER.clientId,
    clientSecret: new Secret(READER.clientSecret),
    apis: [API],
    eventStream: false,
    webhookSecrets: [],
    pageSize: 10,
    clock: systemClock,
    logger: silentLogger,
    metrics: noMetrics,
  });
  const people = new Map<string, { readonly roles: readonly string[]; readonly blocked: boolean }>();
  const put = (subject: string, change: { roles?: readonly string[]; blocked?: boolean }) => {
    const next = { roles: [], blocked: false, ...people.get(subject), ...change };
    people.set(subject, next);
    tenant.putUser(subject, next.roles, next.blocked);
  };
  const rolesOf = (subject: string) => people.get(subject)?.roles ?? [];
  return {
    directory,
    async addGroup(name) {
      // A role exists once somebody had it.
      tenant.putUser('auth0|founder', [name]);
      tenant.putUser('auth0|founder', []);
      return name;
    },
    async addPerson(name, roles) {
      put(`auth0|${name}`, { roles });
      return `auth0|${name}`;
    },
    async join(subject, group) {
      put(subject, { roles: [...rolesOf(subject), group] });
    },
    async leave(subject, group) {
      put(subject, { roles: rolesOf(subject).filter((role) => role !== group) });
    },
    async setPersonEnabled(subject, enabled) {
      put(subject, { blocked: !enabled });
    },
    async deletePerson(subject) {
      people.delete(subject);
      tenant.deleteUser(subject);
    },
    async stop() {
      await directory.close();
      await tenant.close();
    },
  };
});
