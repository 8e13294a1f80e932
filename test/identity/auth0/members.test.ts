import { describe, expect, it } from 'vitest';
import { createBlockedUsers } from '../../../src/identity/auth0/blocked-users.js';
import type { ManagementApi } from '../../../src/identity/auth0/management-api.js';
import { readMembers } from '../../../src/identity/auth0/members.js';
import { parseShape } from '../../../src/identity/records.js';

const unexpected = () => {
  throw new Error('unexpected request');
};

/** A tenant that gives these records for each list, on one page. */
function tenant(lists: Readonly<Record<string, readonly unknown[]>>): ManagementApi {
  return {
    provider: 'main',
    tenant: { issuer: new URL('https://acme.eu.auth0.com/'), api: '' },
    pageSize: 100,
    requests: () => 0,
    placeOf: (segments) => segments.join('/'),
    parse: unexpected,
    get: async ({ segments, shape }) => {
      const records = lists[segments.join('/')] ?? [];
      const answer = { [segments.at(-1) ?? '']: records, total: records.length };
      return parseShape(shape, answer, segments.join('/'));
    },
    find: unexpected,
    send: unexpected,
    refusal: unexpected,
    close: async () => {},
  };
}

const read = (lists: Readonly<Record<string, readonly unknown[]>>, groups = ['ops']) =>
  readMembers(tenant(lists), createBlockedUsers(tenant(lists)), groups, new AbortController().signal);

const ROLES = [
  { id: 'rol_1', name: 'ops' },
  { id: 'rol_2', name: 'dev' },
];

describe('the members of an Auth0 role', () => {
  it('are its users who are not blocked', async () => {
    const users = [{ user_id: 'auth0|ann' }, { user_id: 'auth0|bob' }];
    const members = await read({
      roles: ROLES,
      'roles/rol_1/users': users,
      users: [{ user_id: 'auth0|bob' }],
    });
    expect([...members]).toEqual([['ops', ['auth0|ann']]]);
    expect(members.unreadable).toBeUndefined();
  });

  it.each([
    ['without an id', {}],
    ['with an id that is no string', { user_id: 7 }],
    ['that is no object', 'auth0|bob'],
  ])('include all others if the record of one user is %s', async (_, record) => {
    const members = await read(
      {
        roles: ROLES,
        'roles/rol_1/users': [{ user_id: 'auth0|ann' }, record],
        'roles/rol_2/users': [{ user_id: 'auth0|cy' }],
      },
      ['ops', 'dev'],
    );
    expect([...members]).toEqual([
      ['ops', ['auth0|ann']],
      ['dev', ['auth0|cy']],
    ]);
    // The unknown person keeps their memberships and gains none.
    expect(members.unreadable).toEqual({ subjects: new Set(), groups: new Set(), hasUnnamed: true });
  });

  it('are unknown for an invalid role, and known for the others', async () => {
    const roles = [
      { id: 7, name: 'ops' },
      { id: 'rol_2', name: 'dev' },
    ];
    const members = await read({ roles, 'roles/rol_2/users': [{ user_id: 'auth0|cy' }] }, ['ops', 'dev']);
    expect([...members]).toEqual([
      ['ops', []],
      ['dev', ['auth0|cy']],
    ]);
    expect(members.unreadable).toEqual({ subjects: new Set(), groups: new Set(['ops']), hasUnnamed: false });
    expect((await read({ roles }, ['dev'])).unreadable).toBeUndefined();
  });

  it('are not read if the list of blocked users has an invalid record, which may be anybody', async () => {
    const users = [{ user_id: 'auth0|ann' }];
    await expect(read({ roles: ROLES, 'roles/rol_1/users': users, users: [{}] })).rejects.toMatchObject({
      code: 'ERR_DIRECTORY_INCOMPLETE',
    });
  });
});
