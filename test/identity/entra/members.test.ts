import { describe, expect, it } from 'vitest';
import type { GraphApi } from '../../../src/identity/entra/graph-api.js';
import { readMembersOf } from '../../../src/identity/entra/members.js';
import { parseJson } from '../../../src/identity/http-client.js';
import { guidOf } from '../../support/entra/tenant.js';

const unexpected = () => {
  throw new Error('unexpected request');
};

interface Group {
  readonly visibility?: unknown;
  readonly members: readonly unknown[];
}

/** A tenant with these groups; the members of each are on one page. */
function graph(groups: Readonly<Record<string, Group>>): GraphApi {
  const groupAt = (path: string) => groups[path.split('/')[2] ?? ''];
  return {
    provider: 'main',
    tenant: { issuer: new URL('https://login.example/'), tenantId: '', graph: '' },
    clientId: guidOf('scopemesh'),
    requests: () => 0,
    addressOf: (path) => new URL(path, 'https://graph.example'),
    linkOf: unexpected,
    placeOf: (what) => what,
    json: parseJson,
    refusalOf: unexpected,
    find: async (path) => {
      const group = groupAt(path);
      return group && { id: path.split('/')[2], visibility: group.visibility };
    },
    send: async ({ pathname }) => {
      const body = new TextEncoder().encode(JSON.stringify({ value: groupAt(pathname)?.members }));
      return { status: 200, headers: {}, body };
    },
    close: async () => {},
  };
}

const USER = '#microsoft.graph.user';
const user = (name: string, more: object = {}) => ({
  '@odata.type': USER,
  id: guidOf(name),
  accountEnabled: true,
  ...more,
});
const OPS = guidOf('ops');
const DEV = guidOf('dev');
const read = (groups: Readonly<Record<string, Group>>) =>
  readMembersOf(graph(groups), Object.keys(groups), undefined, new AbortController().signal);

describe('the members of an Entra group', () => {
  it('are its enabled people', async () => {
    const members = [
      user('ann'),
      user('bob', { accountEnabled: false }),
      { '@odata.type': '#microsoft.graph.group', id: guidOf('nested') },
    ];
    const found = await read({ [OPS]: { members } });
    expect([...found]).toEqual([[OPS, [guidOf('ann')]]]);
    expect(found.unreadable).toBeUndefined();
  });

  it.each([
    ['whose account state is no boolean', user('bob', { accountEnabled: 'yes' }), [guidOf('bob')], false],
    ['whose account state is missing', user('bob', { accountEnabled: null }), [guidOf('bob')], false],
    ['without a type', user('bob', { '@odata.type': undefined }), [guidOf('bob')], false],
    ['whose id is no GUID', user('bob', { id: 'bob' }), [], true],
    ['without an id', user('bob', { id: undefined }), [], true],
  ])('include all others if one person has a record %s', async (_, record, subjects, hasUnnamed) => {
    const found = await read({ [OPS]: { members: [user('ann'), record] }, [DEV]: { members: [user('cy')] } });
    expect([...found]).toEqual([
      [OPS, [guidOf('ann')]],
      [DEV, [guidOf('cy')]],
    ]);
    expect(found.unreadable).toEqual({ subjects: new Set(subjects), groups: new Set(), hasUnnamed });
  });

  it('include everybody beside a group or device with an invalid record', async () => {
    const device = { '@odata.type': '#microsoft.graph.device', id: 'none' };
    const found = await read({ [OPS]: { members: [user('ann'), device] } });
    expect([...found]).toEqual([[OPS, [guidOf('ann')]]]);
    expect(found.unreadable).toBeUndefined();
  });

  it('are unknown for an invalid group, and known for the others', async () => {
    const found = await read({
      [OPS]: { visibility: 7, members: [user('ann')] },
      [DEV]: { members: [user('cy')] },
    });
    expect([...found]).toEqual([
      [OPS, []],
      [DEV, [guidOf('cy')]],
    ]);
    expect(found.unreadable).toEqual({ subjects: new Set(), groups: new Set([OPS]), hasUnnamed: false });
  });

  it('are refused if no record says whether the account is enabled: a permission is missing', async () => {
    const members = [user('ann', { accountEnabled: null }), user('bob', { accountEnabled: null })];
    await expect(read({ [OPS]: { members } })).rejects.toMatchObject({
      code: 'ERR_DIRECTORY_DENIED',
      message: expect.stringContaining('User.Read.All'),
    });
  });
});
