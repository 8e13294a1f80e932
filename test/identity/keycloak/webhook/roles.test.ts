import { describe, expect, it } from 'vitest';
import { KeycloakNames } from '../../../../src/identity/keycloak/names.js';
import { admin, byUser, CLIENT, inShort, one, open, person, USER } from '../webhook-source.js';

describe('the Keycloak webhook', () => {
  it('uses roles only for memberships if they open nothing', async () => {
    const names = new KeycloakNames();
    names.mayRestrict = false;
    const source = open({ names, serviceAccountRoles: false });
    expect(inShort(await one(source, admin('DELETE', `users/${USER}/role-mappings/realm`)))).toEqual([
      person,
    ]);
    expect(inShort(await one(source, admin('DELETE', `users/${USER}/groups/g`)))).toEqual([person]);
    expect(inShort(await one(source, admin('DELETE', 'roles/reader')))).toEqual([
      'provider/main ! @ < reader',
    ]);
    expect(inShort(await one(source, admin('DELETE', 'groups/g')))).toEqual(['provider/main ! @']);
    expect(inShort(await one(source, admin('DELETE', `clients/${CLIENT}/roles/writer`)))).toEqual([
      'provider/main ! @',
    ]);
  });

  it('reads everybody who may have a role that a client scope requires, while there may be one', async () => {
    const names = new KeycloakNames();
    const source = open({ names, serviceAccountRoles: false, apis: ['orders-api'] });
    const paths = {
      [`users/${USER}/role-mappings/realm`]: `${byUser} !`,
      [`users/${USER}/groups/g`]: `${byUser} !`,
      'roles/reader': 'provider/main ! *',
      'groups/g': 'provider/main ! *',
      [`clients/${CLIENT}/roles/writer`]: 'provider/main ! *',
    };
    const read = async (path: string) =>
      inShort(await one(source, admin('DELETE', path))).filter((line) => !line.includes('@'));
    for (const [path, line] of Object.entries(paths)) expect(await read(path)).toEqual([line]);
    names.mayRestrict = false;
    for (const path of Object.keys(paths)) expect(await read(path)).toEqual([]);
  });

  it.each(['CREATE', 'DELETE'])(
    'reads everything at once if a client scope requires other roles: %s',
    async (operation) => {
      const names = new KeycloakNames();
      names.mayRestrict = false;
      names.scopes.set('s', 'orders:read');
      const source = open({ names, serviceAccountRoles: false });
      const event = await one(source, admin(operation, 'client-scopes/s/scope-mappings/realm'));
      expect(inShort(event)).toEqual(['provider/main ! * < orders:read']);
    },
  );

  describe('of a service account', () => {
    const learned = () => {
      const names = new KeycloakNames();
      names.clients.set(CLIENT, 'web-app');
      names.serviceAccounts.set(USER, CLIENT);
      return names;
    };
    const lines = async (names: KeycloakNames, operation: string, representation?: object) => {
      const more = representation === undefined ? {} : { representation: JSON.stringify(representation) };
      const source = open({ names, serviceAccountRoles: false });
      return inShort(await one(source, admin(operation, `users/${USER}`, more)));
    };

    it('that is disabled or deleted leads to its client, as evidence', async () => {
      const client = ['client/main/web-app ! < web-app'];
      expect(await lines(learned(), 'UPDATE', { enabled: false })).toEqual(client);
      expect(await lines(learned(), 'DELETE')).toEqual(client);
    });

    it('that is unknown is read; if deleted, it leads to everything', async () => {
      const names = new KeycloakNames();
      expect(await lines(names, 'UPDATE', { enabled: false })).toEqual([`${byUser} !`, person]);
      expect(await lines(names, 'DELETE')).toEqual(['provider/main ! *', person]);
      names.knowsServiceAccounts = true;
      const named = { id: USER, username: 'service-account-web-app' };
      expect(await lines(names, 'DELETE', named)).toEqual(['provider/main ! *', person]);
    });

    it('is not a person, whom the event names or who is no known account', async () => {
      const names = new KeycloakNames();
      for (const operation of ['UPDATE', 'DELETE'])
        expect(await lines(names, operation, { id: USER, username: 'ann' })).toEqual([person]);
      names.knowsServiceAccounts = true;
      for (const operation of ['UPDATE', 'DELETE']) expect(await lines(names, operation)).toEqual([person]);
    });
  });

  it('names roles of clients and organizations as the mapping does', async () => {
    const names = new KeycloakNames();
    names.mayRestrict = false;
    names.clients.set(CLIENT, 'orders-api');
    names.roles.set('r1', { api: 'orders-api', name: 'reader' });
    names.groups.set('o', 'organization/acme');
    const lines = async (operation: string, path: string, more: object = {}) =>
      inShort(await one(open({ names, serviceAccountRoles: false }), admin(operation, path, more)));
    const reader = ['provider/main ! @ < client/orders-api/reader'];
    expect(await lines('DELETE', `clients/${CLIENT}/roles/reader`)).toEqual(reader);
    expect(await lines('DELETE', 'roles-by-id/r1')).toEqual(reader);
    expect((await lines('DELETE', `clients/${CLIENT}`))[0]).toEqual(reader[0]);
    const sent = [{ id: 'r1', name: 'reader', clientRole: true, containerId: CLIENT }];
    expect(
      await lines('DELETE', 'roles/bundle/composites', { representation: JSON.stringify(sent) }),
    ).toEqual(['provider/main ! @ < bundle,client/orders-api/reader']);
    for (const operation of ['UPDATE', 'DELETE'])
      expect(await lines(operation, 'organizations/o')).toEqual(['provider/main ! @ < organization/acme']);
    expect(await lines('CREATE', 'organizations/p')).toEqual([]);
    expect(await lines('CREATE', 'organizations/o/members')).toEqual(['provider/main @ < organization/acme']);
    expect(await lines('DELETE', `organizations/o/members/${USER}`)).toEqual([person]);
  });

  it('names a group as the mapping does, and knows that a service account is no person', async () => {
    const names = new KeycloakNames();
    names.mayRestrict = false;
    names.groups.set('g', '/ops/oncall');
    names.serviceAccounts.set(USER, CLIENT);
    const source = open({ names, serviceAccountRoles: false });
    expect(inShort(await one(source, admin('DELETE', 'groups/g')))).toEqual([
      'provider/main ! @ < /ops/oncall,ops/oncall',
    ]);
    expect(inShort(await one(source, admin('DELETE', `users/${USER}/groups/g`)))).toEqual([]);
  });

  describe('if roles count', () => {
    const API = '0b1b0e35-5a0e-4b43-a7b5-0e6d3d9f5b11';
    const reader = { id: 'r1', name: 'reader', clientRole: true, containerId: API };
    const learned = () => {
      const names = new KeycloakNames();
      names.mayRestrict = false;
      names.clients.set(API, 'orders-api');
      names.roles.set('r1', { api: 'orders-api', name: 'reader' });
      names.roles.set('r2', { api: 'orders-api', name: 'writer' });
      names.roles.set('r3', { name: 'writer' });
      return names;
    };
    const list = (...roles: object[]) => ({ representation: JSON.stringify(roles) });
    const all = (...roles: string[]) => [`provider/main ! * < ${roles.join()}`];

    it.each<[string, string, string, object, readonly string[]]>([
      ['one of a client, deleted', 'DELETE', `clients/${API}/roles/reader`, {}, all('orders-api#reader')],
      [
        'one of a client, renamed',
        'UPDATE',
        `clients/${API}/roles/reader`,
        { representation: '{"name":"readers"}' },
        all('orders-api#reader'),
      ],
      [
        'one of a client, described',
        'UPDATE',
        `clients/${API}/roles/reader`,
        { representation: '{"name":"reader","description":"x"}' },
        ['provider/main ! *'],
      ],
      ['one by its id, deleted', 'DELETE', 'roles-by-id/r2', {}, all('orders-api#writer')],
      ['one of the realm by its id, deleted', 'DELETE', 'roles-by-id/r3', {}, all('writer')],
      [
        'one by its id, renamed',
        'UPDATE',
        'roles-by-id/r1',
        { representation: '{"name":"readers"}' },
        all('orders-api#reader'),
      ],
      [
        'two taken out of a role',
        'DELETE',
        'roles/bundle/composites',
        list(reader, { id: 'r3', name: 'writer' }),
        all('orders-api#reader', 'writer'),
      ],
      [
        'one taken out of a role of a client',
        'DELETE',
        `clients/${API}/roles/writer/composites`,
        list(reader),
        all('orders-api#reader'),
      ],
      [
        'one of a client that nobody knows, taken out of a role',
        'DELETE',
        'roles-by-id/r3/composites',
        list({ ...reader, containerId: CLIENT }),
        ['provider/main ! *'],
      ],
      [
        'one taken from a group',
        'DELETE',
        `groups/g/role-mappings/clients/${API}`,
        list(reader),
        all('orders-api#reader'),
      ],
      ['one given to a group', 'CREATE', 'groups/g/role-mappings/realm', list(reader), ['provider/main *']],
      [
        'the client that they belong to, deleted',
        'DELETE',
        `clients/${API}`,
        {},
        all('orders-api#reader', 'orders-api#writer'),
      ],
      [
        'the client that they belong to, under another client id',
        'UPDATE',
        `clients/${API}`,
        { representation: '{"clientId":"orders"}' },
        all('orders-api#reader', 'orders-api#writer'),
      ],
    ])('names the lost ones: %s', async (_, operation, path, more, expectation) => {
      const event = await one(open({ names: learned() }), admin(operation, path, more));
      expect(inShort(event).filter((line) => / \*/.test(line))).toEqual(expectation);
    });

    it('reads nothing for roles of a client that is not one of the APIs', async () => {
      const other = { names: learned(), apis: ['billing-api'] };
      const named = { representation: '{"clientId":"orders-api"}' };
      for (const [operation, path, more] of [
        ['DELETE', `clients/${API}/roles/reader`, {}],
        ['DELETE', `clients/${API}`, named],
      ] as const) {
        const lines = async (options: object) =>
          inShort(await one(open(options), admin(operation, path, more)));
        expect((await lines(other)).filter((line) => / \*/.test(line))).toEqual([]);
        expect(await lines({ ...other, apis: ['orders-api'] })).toContainEqual(
          expect.stringMatching(/^provider\/main ! \*/),
        );
      }
    });
  });
});
