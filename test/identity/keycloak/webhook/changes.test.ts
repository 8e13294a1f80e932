import { describe, expect, it } from 'vitest';
import { KeycloakNames } from '../../../../src/identity/keycloak/names.js';
import { admin, byId, byUser, CLIENT, inShort, one, open, person, signed, USER } from '../webhook-source.js';

const WRITE_SCOPE = 'ac0d8b5e-09ba-4e68-8b9a-83073717830b';

describe('the Keycloak webhook', () => {
  const cases: readonly (readonly [string, string, string | null, object, readonly string[]])[] = [
    [
      'a deletion without details leads to everything',
      'DELETE',
      `clients/${CLIENT}`,
      {},
      ['provider/main ! @', 'provider/main ! *', `client-deleted undefined ${CLIENT}`],
    ],
    [
      'a client that a partial import made',
      'CREATE',
      `clients/${CLIENT}`,
      { resourceType: 'REALM', representation: '{"clientId":"imp"}' },
      ['client/main/imp'],
    ],
    ['an id that no client can have', 'UPDATE', 'clients/%2e%2e', {}, ['provider/main ! *']],
    [
      'the realm changed',
      'UPDATE',
      null,
      { resourceType: 'REALM', representation: '{"accessTokenLifespan":120}' },
      ['provider/main ! *'],
    ],
    ['the log was switched', 'UPDATE', 'events/config', { resourceType: 'REALM' }, ['provider/main ! *']],
    [
      'all sessions ended',
      'ACTION',
      'logout-all',
      { resourceType: 'REALM', representation: '{"successRequests":null,"failedRequests":null}' },
      ['session-revoked undefined undefined'],
    ],
    [
      'what was issued before a time is void',
      'ACTION',
      'push-revocation',
      { resourceType: 'REALM' },
      ['session-revoked undefined undefined'],
    ],
    [
      'the time before which all is void was set',
      'UPDATE',
      null,
      { resourceType: 'REALM', representation: '{"realm":"wh2","notBefore":1795560000}' },
      ['provider/main ! *', 'session-revoked undefined undefined'],
    ],
    [
      'the realm changed, and nothing is void',
      'UPDATE',
      null,
      { resourceType: 'REALM', representation: '{"realm":"wh2","notBefore":0}' },
      ['provider/main ! *'],
    ],
    [
      'the realm got an invalid time',
      'UPDATE',
      null,
      { resourceType: 'REALM', representation: '{"notBefore":9007199254740991}' },
      ['provider/main ! *'],
    ],
    [
      'one session ended, of nobody knows whom',
      'DELETE',
      'sessions/4d5e1f3c-8a4b-4a1e-9f0e-1c2d3e4f5a6b',
      { resourceType: 'USER_SESSION', representation: '{"offline":false}' },
      [],
    ],
    [
      'a role was deleted',
      'DELETE',
      'roles/reader',
      {},
      ['provider/main ! * < reader', 'provider/main ! @ < reader'],
    ],
    [
      'a role was deleted by its id',
      'DELETE',
      'roles-by-id/x',
      { representation: '{"name":"reader"}' },
      ['provider/main ! *', 'provider/main ! @ < reader'],
    ],
    [
      'a role lost another',
      'DELETE',
      'roles/reader/composites',
      {},
      ['provider/main ! *', 'provider/main ! @ < reader'],
    ],
    [
      'a role got another',
      'CREATE',
      'roles/reader/composites',
      {},
      ['provider/main *', 'provider/main @ < reader'],
    ],
    [
      'a role of a client was deleted',
      'DELETE',
      `clients/${CLIENT}/roles/writer`,
      {},
      ['provider/main ! *', 'provider/main ! @'],
    ],
    [
      'a role of a client got another',
      'CREATE',
      `clients/${CLIENT}/roles/writer/composites`,
      {},
      ['provider/main *', 'provider/main @'],
    ],
    [
      'a group got roles',
      'CREATE',
      'groups/g/role-mappings/realm',
      {},
      ['provider/main *', 'provider/main @'],
    ],
    ['a group was deleted', 'DELETE', 'groups/g', {}, ['provider/main ! *', 'provider/main ! @']],
    ['a group was made', 'CREATE', 'groups/g', {}, []],
    ['a user left a group', 'DELETE', `users/${USER}/groups/g`, {}, [`${byUser} !`, person]],
    [
      'a role was taken from a user',
      'DELETE',
      `users/${USER}/role-mappings/realm`,
      {},
      [`${byUser} !`, person],
    ],
    [
      'a role of a client was taken from a user',
      'DELETE',
      `users/${USER}/role-mappings/clients/x`,
      {},
      [`${byUser} !`, person],
    ],
    ['a user was made', 'CREATE', `users/${USER}`, {}, [`provider/main @ < ${USER}`]],
    [
      'a user was disabled',
      'UPDATE',
      `users/${USER}`,
      { representation: '{"enabled":false}' },
      [`${byUser} !`, person],
    ],
    ['a user was deleted', 'DELETE', `users/${USER}`, {}, ['provider/main ! *', person]],
    ['a person was deleted', 'DELETE', `users/${USER}`, { representation: '{"username":"ann"}' }, [person]],
    ['the sessions of a user ended', 'ACTION', `users/${USER}/logout`, {}, [`session-revoked ${USER}`]],
    ['a password was set', 'ACTION', `users/${USER}/reset-password`, {}, []],
    ['a scope for new clients', 'DELETE', `default-default-client-scopes/${WRITE_SCOPE}`, {}, []],
    ['a scope was deleted that nobody knows', 'DELETE', 'client-scopes/unknown', {}, ['provider/main ! *']],
    ['a mapper of a scope', 'CREATE', `client-scopes/${WRITE_SCOPE}/protocol-mappers/models`, {}, []],
    ['an action that failed', 'DELETE', `clients/${CLIENT}`, { error: 'unknown_error' }, []],
    ['something else', 'UPDATE', 'identity-provider/instances/x', {}, []],
  ];
  it.each(cases)('reads: %s', async (_, operation, path, more, expectation) => {
    expect(inShort(await one(open(), admin(operation, path, more)))).toEqual(expectation);
  });

  it('ends everything that is older than the event, or than the realm’s not-before time', async () => {
    const voidBefore = async (operation: string, path: string | null, representation: object) => {
      const more = { resourceType: 'REALM', representation: JSON.stringify(representation) };
      return (await one(open(), admin(operation, path, more))).orders.map(({ at }) => at);
    };
    expect(await voidBefore('ACTION', 'logout-all', {})).toEqual(['2026-11-24T22:50:51.981Z']);
    expect(await voidBefore('UPDATE', null, { notBefore: 1795560000 })).toEqual(['2026-11-24T22:40:00.000Z']);
  });

  it('follows a client with a new client ID, and a scope with a new name', async () => {
    const names = new KeycloakNames();
    names.clients.set(CLIENT, 'old');
    names.scopes.set(WRITE_SCOPE, 'old:scope');
    const source = open({ names });
    const renamed = admin('UPDATE', `clients/${CLIENT}`, { representation: '{"clientId":"new"}' });
    expect(inShort(await one(source, renamed))).toEqual([
      'provider/main ! *',
      'provider/main ! @',
      `${byId} ! < old`,
      'client/main/old ! < old',
    ]);
    expect(inShort(await one(source, renamed))).toEqual([`${byId} ! < new`]);
    const scope = admin('UPDATE', `client-scopes/${WRITE_SCOPE}`, { representation: '{"name":"new:scope"}' });
    expect(inShort(await one(source, scope))).toEqual(['provider/main ! * < old:scope']);
    expect(inShort(await one(source, scope))).toEqual(['provider/main ! *']);
  });

  it('reads a client that changed itself by dynamic registration', async () => {
    const event = (type: string) =>
      signed({ id: 'e', time: 1, realmName: 'wh2', type, authDetails: { clientId: 'self' } });
    expect(inShort(await one(open(), event('access.CLIENT_DELETE')))).toEqual(['client/main/self !']);
    expect(inShort(await one(open(), event('access.CLIENT_REGISTER')))).toEqual(['client/main/self']);
    expect(inShort(await one(open(), event('access.CLIENT_LOGIN')))).toEqual([]);
  });
});
