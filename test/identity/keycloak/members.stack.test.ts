import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/clock.js';
import { createAdminApi } from '../../../src/identity/keycloak/admin-api.js';
import { createKeycloak } from '../../../src/identity/keycloak/keycloak.js';
import { isStillMember, type Membership } from '../../../src/identity/keycloak/membership.js';
import { Secret } from '../../../src/model/secret.js';
import { noMetrics, silentLogger } from '../../../src/observe.js';
import { describeMembers, type MembersWorld } from '../../conformance/directory.js';
import { connectKeycloak, type KeycloakOfRun } from '../../stack/connect-keycloak.js';

const signal = new AbortController().signal;
let server: KeycloakOfRun;

beforeAll(async () => {
  server = await connectKeycloak();
});

interface Reader {
  readonly clientId: string;
  readonly clientSecret: string;
}

const loginOf = (realm: string, reader: Reader) => ({
  provider: 'main',
  issuer: `${server.address}/realms/${realm}`,
  clientId: reader.clientId,
  clientSecret: new Secret(reader.clientSecret),
  clock: systemClock,
  metrics: noMetrics,
});

function open(realm: string, reader: Reader) {
  return createKeycloak({
    ...loginOf(realm, reader),
    serviceAccountRoles: false,
    webhookSecrets: [],
    pageSize: 7,
    logger: silentLogger,
  });
}

const textAt = (value: unknown, field: string): string => {
  const found: unknown = typeof value === 'object' && value !== null ? Reflect.get(value, field) : undefined;
  if (typeof found !== 'string') throw new Error(`no ${field}`);
  return found;
};

/** What an administrator does to groups and people of a realm. */
function peopleOf(realm: string) {
  const { admin } = server;
  const groupId = async (path: string) =>
    textAt(await admin.request('GET', `/${realm}/group-by-path${encodeURI(path)}`), 'id');
  return {
    groupId,
    async addGroup(path: string): Promise<void> {
      const at = path.lastIndexOf('/');
      const parent = at === 0 ? undefined : await groupId(path.slice(0, at));
      const where = parent === undefined ? `/${realm}/groups` : `/${realm}/groups/${parent}/children`;
      await admin.request('POST', where, { name: path.slice(at + 1) });
    },
    async addPerson(username: string, groups: readonly string[] = []): Promise<string> {
      await admin.request('POST', `/${realm}/users`, { username, enabled: true, groups });
      const found = await admin.request('GET', `/${realm}/users?exact=true&username=${username}`);
      return textAt(Array.isArray(found) ? found[0] : undefined, 'id');
    },
    join: async (subject: string, path: string): Promise<void> => {
      await admin.request('PUT', `/${realm}/users/${subject}/groups/${await groupId(path)}`);
    },
    leave: async (subject: string, path: string): Promise<void> => {
      await admin.request('DELETE', `/${realm}/users/${subject}/groups/${await groupId(path)}`);
    },
    async giveRole(to: string, role: string): Promise<void> {
      const found = await admin.request('GET', `/${realm}/roles/${role}`);
      await admin.request('POST', `/${realm}/${to}`, [found]);
    },
  };
}

async function startWorld(byName: boolean): Promise<MembersWorld> {
  const realm = byName ? 'members-by-name' : 'members-by-path';
  await server.admin.createRealm(realm);
  const { directory } = open(realm, await server.admin.createReader(realm));
  const people = peopleOf(realm);
  await people.addGroup('/teams');
  const pathOf = (group: string) => (byName ? `/${group}` : group);
  return {
    directory,
    async addGroup(name) {
      const group = byName ? name : `/teams/${name}`;
      await people.addGroup(pathOf(group));
      return group;
    },
    addPerson: (name, groups) => people.addPerson(name, groups.map(pathOf)),
    join: (subject, group) => people.join(subject, pathOf(group)),
    leave: (subject, group) => people.leave(subject, pathOf(group)),
    async setPersonEnabled(subject, enabled) {
      await server.admin.request('PUT', `/${realm}/users/${subject}`, { enabled });
    },
    async deletePerson(subject) {
      await server.admin.request('DELETE', `/${realm}/users/${subject}`);
    },
    async stop() {
      await directory.close();
      await server.admin.deleteRealm(realm);
    },
  };
}

describeMembers('Keycloak, groups by path', () => startWorld(false));
describeMembers('Keycloak, groups by name', () => startWorld(true));

describe('a real Keycloak', () => {
  const realm = 'people';
  let keycloak: ReturnType<typeof createKeycloak>;
  let people: ReturnType<typeof peopleOf>;
  let reader: Reader;
  beforeAll(async () => {
    await server.admin.createRealm(realm);
    reader = await server.admin.createReader(realm);
    keycloak = open(realm, reader);
    people = peopleOf(realm);
  });
  afterAll(() => keycloak?.directory.close());
  const members = async (group: string) =>
    [...((await keycloak.directory.readMembers?.([group], signal))?.get(group) ?? [])].sort();

  /** Which of the people Keycloak shows as members when it is asked for one of them alone. */
  const shownAlone = async (membership: Membership, subjects: readonly string[], login = reader) => {
    const api = createAdminApi(loginOf(realm, login));
    try {
      const asked = subjects.map((subject) => isStillMember(api, subject, membership, signal));
      const answers = await Promise.all(asked);
      return subjects.filter((_, at) => answers[at]);
    } finally {
      await api.close();
    }
  };
  const realmRole = async (name: string): Promise<Membership> => ({
    role: { id: textAt(await server.admin.request('GET', `/${realm}/roles/${name}`), 'id') },
  });

  /** What is kept if somebody has access by the group and its lists lack that person. */
  const keptWithout = async (group: string, subject: string) =>
    (await keycloak.directory.readMembers?.([group], signal, new Map([[group, [subject]]])))?.unreadable;

  it('gives a role to everybody who has it directly, through a group, through one above it, or nested', async () => {
    for (const role of ['auditor', 'chief', 'board'])
      await server.admin.request('POST', `/${realm}/roles`, { name: role });
    await people.giveRole(`roles/chief/composites`, 'auditor');
    await people.giveRole(`roles/board/composites`, 'chief');
    await people.addGroup('/audit');
    await people.addGroup('/audit/eu');
    const group = await people.groupId('/audit');
    await people.giveRole(`groups/${group}/role-mappings/realm`, 'auditor');
    const alone = await people.addPerson('alone');
    await people.giveRole(`users/${alone}/role-mappings/realm`, 'auditor');
    const byGroup = await people.addPerson('by-group', ['/audit']);
    const below = await people.addPerson('below', ['/audit/eu']);
    const within = await people.addPerson('within');
    await people.giveRole(`users/${within}/role-mappings/realm`, 'board');
    const nobody = await people.addPerson('nobody');
    const all = [alone, byGroup, below, within];
    expect(await members('auditor')).toEqual(all.toSorted());
    expect(await members('chief')).toEqual([within]);
    expect(await shownAlone(await realmRole('auditor'), [...all, nobody, 'deleted'])).toEqual(all);
    expect(await shownAlone(await realmRole('chief'), [...all, nobody])).toEqual([within]);
    expect(await shownAlone({ path: '/audit' }, all)).toEqual([byGroup]);
    expect(await keptWithout('chief', alone)).toBeUndefined();
  });

  it('uses a bare name for the top-level group, and not for a role while there is such a group', async () => {
    await people.addGroup('/ops');
    await people.addGroup('/ops/oncall');
    const low = await people.addPerson('low', ['/ops/oncall']);
    expect(await members('oncall')).toEqual([]);
    expect(await members('/ops/oncall')).toEqual([low]);
    expect(await members('/ops')).toEqual([]);
    await server.admin.request('POST', `/${realm}/roles`, { name: 'ops' });
    const holder = await people.addPerson('holder');
    await people.giveRole(`users/${holder}/role-mappings/realm`, 'ops');
    expect(await members('ops')).toEqual([]);
  });

  it('counts no service account as a person', async () => {
    await people.addGroup('/robots');
    const client = await server.admin.clientUuid(realm, 'scopemesh');
    const account = textAt(
      await server.admin.request('GET', `/${realm}/clients/${client}/service-account-user`),
      'id',
    );
    await people.join(account, '/robots');
    const person = await people.addPerson('keeper', ['/robots']);
    expect(await members('robots')).toEqual([person]);
  });

  it('gives a client role to everybody who has it directly, through a group, or nested in a role', async () => {
    const { admin } = server;
    const api = await admin.createClient(realm, 'orders-api');
    const other = await admin.createClient(realm, 'billing-api');
    for (const [owner, role] of [
      [api, 'reader'],
      [api, 'admin'],
      [other, 'reader'],
    ] as const)
      await admin.request('POST', `/${realm}/clients/${owner}/roles`, { name: role });
    const roleOf = (owner: string, role: string) =>
      admin.request('GET', `/${realm}/clients/${owner}/roles/${role}`);
    const reader = [await roleOf(api, 'reader')];
    await admin.request('POST', `/${realm}/clients/${api}/roles/admin/composites`, reader);
    await admin.request('POST', `/${realm}/roles`, { name: 'staff' });
    await admin.request('POST', `/${realm}/roles/staff/composites`, reader);
    await people.addGroup('/readers');
    await people.addGroup('/readers/eu');
    const group = await people.groupId('/readers');
    await admin.request('POST', `/${realm}/groups/${group}/role-mappings/clients/${api}`, reader);
    const give = async (subject: string, owner: string, role: string) =>
      admin.request('POST', `/${realm}/users/${subject}/role-mappings/clients/${owner}`, [
        await roleOf(owner, role),
      ]);
    const alone = await people.addPerson('reads-alone');
    await give(alone, api, 'reader');
    const within = await people.addPerson('reads-as-admin');
    await give(within, api, 'admin');
    const staff = await people.addPerson('reads-as-staff');
    await people.giveRole(`users/${staff}/role-mappings/realm`, 'staff');
    const below = await people.addPerson('reads-below', ['/readers/eu']);
    const elsewhere = await people.addPerson('reads-elsewhere');
    await give(elsewhere, other, 'reader');
    expect(await members('client/orders-api/reader')).toEqual([alone, within, staff, below].sort());
    expect(await members('client/billing-api/reader')).toEqual([elsewhere]);
    const everybody = [alone, within, staff, below, elsewhere];
    const ofClient = async (client: string): Promise<Membership> => ({
      role: { id: textAt(await roleOf(client, 'reader'), 'id'), client },
    });
    expect(await shownAlone(await ofClient(api), everybody)).toEqual(everybody.slice(0, 4));
    expect(await shownAlone(await ofClient(other), everybody)).toEqual([elsewhere]);
    expect(await keptWithout('client/billing-api/reader', alone)).toBeUndefined();
    for (const none of [
      'client/orders-api/writer',
      'client/nobody/reader',
      'client//reader',
      'client/reader',
    ])
      expect(await members(none), none).toEqual([]);
  });

  it('knows the members of an organization, and reports none as gone that it may not see', async () => {
    const { admin } = server;
    expect(await members('organization/acme')).toEqual([]);
    await admin.request('PUT', `/${realm}`, { organizationsEnabled: true });
    await expect(members('organization/acme')).rejects.toThrow(/view-organizations/);
    for (const alias of ['acme', 'zenith'])
      await admin.request('POST', `/${realm}/organizations`, {
        name: `The ${alias}`,
        alias,
        domains: [{ name: `${alias}.example` }],
      });
    const openAs = async (clientId: string, role: string) => {
      await keycloak.directory.close();
      const login = await admin.createReader(realm, clientId);
      await admin.grantClientRoles(realm, clientId, 'realm-management', [role]);
      keycloak = open(realm, login);
      return login;
    };
    await openAs('sees-organizations', 'query-organizations');
    await expect(members('organization/acme')).rejects.toMatchObject({ code: 'ERR_DIRECTORY_DENIED' });
    const viewer = await openAs('knows-organizations', 'view-organizations');

    const found = await admin.request('GET', `/${realm}/organizations?search=acme`);
    const acme = `/${realm}/organizations/${textAt(Array.isArray(found) ? found[0] : undefined, 'id')}`;
    const subjects: string[] = [];
    for (let at = 0; at < 9; at++) {
      const subject = await people.addPerson(`acme-${at}`);
      await admin.request('POST', `${acme}/members`, subject);
      subjects.push(subject);
    }
    expect(await members('organization/acme')).toEqual([...subjects].sort());
    expect(await members('organization/zenith')).toEqual([]);
    expect(await members('organization/nobody')).toEqual([]);

    const first = await keycloak.poll.poll(undefined, signal);
    const [left, disabled, ...rest] = subjects;
    await admin.request('DELETE', `${acme}/members/${left}`);
    await admin.request('PUT', `/${realm}/users/${disabled}`, { enabled: false });
    expect(await members('organization/acme')).toEqual([...rest].sort());
    expect(await shownAlone({ organization: 'acme' }, [...subjects, 'deleted'], viewer)).toEqual(rest);
    expect(await shownAlone({ organization: 'zenith' }, subjects, viewer)).toEqual([]);
    await admin.request('DELETE', acme);
    expect(await members('organization/acme')).toEqual([]);
    const { events } = await keycloak.poll.poll(first.cursor, signal);
    const reported = events.flatMap((event) => event.triggers).filter((trigger) => trigger.members);
    expect(reported.map(({ evidence }) => evidence?.[0]?.people ?? evidence?.[0]?.groups)).toEqual([
      [left],
      [disabled],
      ['organization/acme'],
    ]);
    expect(reported.every(({ urgent }) => urgent)).toBe(true);
  });

  it('fails instead of showing fewer members if the token may not see users', async () => {
    await people.addGroup('/seen');
    await server.admin.createClient(realm, 'blind', { secret: 'blind-secret', fullScopeAllowed: true });
    await server.admin.grantClientRoles(realm, 'blind', 'realm-management', ['view-clients', 'view-realm']);
    const { directory } = open(realm, { clientId: 'blind', clientSecret: 'blind-secret' });
    for (const group of ['/seen', 'auditor'])
      await expect(directory.readMembers?.([group], signal)).rejects.toMatchObject({
        code: 'ERR_DIRECTORY_DENIED',
      });
    await directory.close();
  });

  it('states in its log whose membership changed, and whose sessions an administrator ended', async () => {
    const first = await keycloak.poll.poll(undefined, signal);
    await people.addGroup('/watched');
    const subject = await people.addPerson('watched');
    await people.join(subject, '/watched');
    await people.leave(subject, '/watched');
    await server.admin.request('POST', `/${realm}/users/${subject}/logout`);
    const { events } = await keycloak.poll.poll(first.cursor, signal);
    const reported = events.flatMap((event) => event.triggers).filter((trigger) => trigger.members);
    expect(reported.map(({ urgent, evidence }) => [urgent, evidence?.[0]?.people])).toEqual([
      [false, [subject]],
      [false, [subject]],
      [true, [subject]],
    ]);
    expect(events.flatMap((event) => event.orders)).toMatchObject([
      { kind: 'session-revoked', subject, provider: 'main' },
    ]);
  });
});
