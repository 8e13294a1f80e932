import { describe, expect, it } from 'vitest';
import { IncompleteRead, SyncError } from '../../../src/errors.js';
import type { AdminApi } from '../../../src/identity/keycloak/admin-api.js';
import { parseIssuer } from '../../../src/identity/keycloak/issuer.js';
import { readKeycloakMembers } from '../../../src/identity/keycloak/members.js';
import { KeycloakNames } from '../../../src/identity/keycloak/names.js';
import { wrongShape } from '../../../src/identity/read-errors.js';

type Answers = Readonly<Record<string, unknown>>;

const user = (id: string, more: object = {}) => ({ id, username: `name-of-${id}`, enabled: true, ...more });
const named = (id: string, name = id, more: object = {}) => ({ id, name, ...more });

/** A realm whose answers are written down by path; a list is cut into pages, a function answers by itself. */
function realm(answers: Answers): AdminApi {
  const answerOf = (segments: readonly string[], query: Readonly<Record<string, unknown>> = {}) => {
    const answer = answers[segments.join('/')];
    if (typeof answer === 'function') return answer(query);
    if (answer instanceof Error) throw answer;
    if (!Array.isArray(answer) || typeof query.first !== 'number') return answer;
    return answer.slice(query.first, query.first + Number(query.max));
  };
  return {
    provider: 'main',
    issuer: parseIssuer('https://x/realms/r'),
    clientId: 'scopemesh',
    requests: () => 0,
    placeOf: (what) => `provider main, realm r, ${what}`,
    get: async (segments, query) => answerOf(segments, query) ?? [],
    list: async (segments, query) => {
      const answer = answerOf(segments, query) ?? [];
      if (!Array.isArray(answer)) throw wrongShape('members', 'the answer is not a list');
      return answer;
    },
    peek: async (segments, query) => answerOf(segments, query),
    find: async (segments) => answerOf(segments),
    close: async () => {},
  };
}

const readAll = (answers: Answers, ...groups: readonly string[]) =>
  readKeycloakMembers(
    realm(answers),
    new KeycloakNames(),
    { pageSize: 2 },
    groups,
    new AbortController().signal,
  );
const read = async (answers: Answers, group: string) => (await readAll(answers, group)).get(group);

const OPS = { 'group-by-path/ops': { ...named('g1', 'ops'), path: '/ops' } };

describe('the members of a Keycloak group', () => {
  it('are read page by page, with the IDs of federated users', async () => {
    const users = [user('u1'), user('f:3:ann@x'), user('u2', { enabled: false }), user('u3')];
    expect(await read({ ...OPS, 'groups/g1/members': users }, 'ops')).toEqual(['f:3:ann@x', 'u1', 'u3']);
  });

  it('include no service account, in any case of its name', async () => {
    const users = [user('u1', { username: 'Service-Account-web' }), user('u2')];
    expect(await read({ ...OPS, 'groups/g1/members': users }, '/ops')).toEqual(['u2']);
  });

  it.each<[string, Answers]>([
    ['its members are no list', { ...OPS, 'groups/g1/members': { error: 'x' } }],
    ['another group was found', { 'group-by-path/ops': { ...named('g1', 'ops'), path: '/others/ops' } }],
    ['it has no id', { 'group-by-path/ops': { name: 'ops', path: '/ops' } }],
  ])('are unknown if %s, and known for other groups', async (_, answers) => {
    const dev = {
      'group-by-path/dev': { ...named('g2', 'dev'), path: '/dev' },
      'groups/g2/members': [user('u2')],
    };
    const members = await readAll({ ...dev, ...answers }, 'ops', 'dev');
    expect(members.get('dev')).toEqual(['u2']);
    expect(members.unreadable).toEqual({ subjects: new Set(), groups: new Set(['ops']), hasUnnamed: false });
  });

  it.each<[string, unknown]>([
    ['one page again and again', () => [user('u1'), user('u2')]],
    ['pages longer than asked for', () => [user('u1'), user('u2'), user('u3')]],
  ])('are unknown for %s', async (_, members) => {
    await expect(read({ ...OPS, 'groups/g1/members': members }, 'ops')).rejects.toBeInstanceOf(
      IncompleteRead,
    );
  });

  it.each<[string, object]>([
    ['without a name', { id: 'u1', enabled: true }],
    ['of whom it is not said whether they are enabled', { id: 'u1', username: 'a' }],
  ])('include all others beside a user %s, who is unknown', async (_, spoilt) => {
    const members = await readAll({ ...OPS, 'groups/g1/members': [spoilt, user('u2')] }, 'ops');
    expect(members.get('ops')).toEqual(['u2']);
    expect(members.unreadable).toEqual({ subjects: new Set(['u1']), groups: new Set(), hasUnnamed: false });
  });

  it('are unknown if a later page fails', async () => {
    const denied = new SyncError('ERR_DIRECTORY_DENIED', 'no', { retriable: false });
    const failing = ({ first }: { first: number }) => {
      if (first > 0) throw denied;
      return [user('u1'), user('u2')];
    };
    await expect(read({ ...OPS, 'groups/g1/members': failing }, 'ops')).rejects.toBe(denied);
  });
});

describe('the holders of a Keycloak role', () => {
  const ROLE = { 'roles/auditor': named('r1', 'auditor') };

  it('are found through roles that contain each other, and through nested groups', async () => {
    const answers = {
      ...ROLE,
      roles: [named('r1', 'auditor', { composite: true }), named('r2', 'chief', { composite: true })],
      'roles-by-id/r1/composites': [named('r2', 'chief')],
      'roles-by-id/r2/composites': [named('r1', 'auditor')],
      'roles/auditor/users': [user('u1')],
      'roles/chief/users': [user('u2')],
      'roles/chief/groups': [named('g1')],
      'groups/g1/members': [user('u3'), user('u1')],
      'groups/g1/children': [named('g2')],
      'groups/g2/children': [named('g1')],
      'groups/g2/members': [user('u4')],
    };
    expect(await read(answers, 'auditor')).toEqual(['u1', 'u2', 'u3', 'u4']);
  });

  it('are unknown if one of these reads fails', async () => {
    const away = new SyncError('ERR_DIRECTORY_UNREACHABLE', 'away', { retriable: true });
    for (const path of ['roles/auditor/users', 'roles/auditor/groups', 'roles'])
      await expect(read({ ...ROLE, [path]: away }, 'auditor'), path).rejects.toBe(away);
    const parts = {
      ...ROLE,
      roles: [named('r2', 'chief', { composite: true })],
      'roles-by-id/r2/composites': {},
    };
    expect((await readAll(parts, 'auditor')).unreadable?.groups).toEqual(new Set(['auditor']));
  });

  it('are unknown if the role, or a role that may contain it, cannot be parsed', async () => {
    const users = { 'roles/auditor/users': [user('u1')] };
    const chief = { roles: [{ name: 'chief', composite: true }] };
    for (const answers of [{ 'roles/auditor': { id: 7, name: 'auditor' } }, { ...ROLE, ...users, ...chief }])
      expect((await readAll(answers, 'auditor')).unreadable?.groups).toEqual(new Set(['auditor']));
  });
});

describe('people who have access by a name, and whom its lists lack', () => {
  const AUDITOR = named('r1', 'auditor');
  const CHIEF = named('r2', 'chief', { composite: true });
  const READER = named('r3', 'reader', { clientRole: true, containerId: 'c1' });
  const IN_OPS = { 'users/u4/groups': [named('g1', 'ops', { path: '/ops' })] };
  const CLIENT = { clients: [{ id: 'c1', clientId: 'api' }], 'clients/c1/roles/reader': READER };
  const ACME = { id: 'o1', alias: 'acme', enabled: true };
  const ORGANIZATIONS = { '': { organizationsEnabled: true } };
  const joined = (...list: readonly object[]) => ({ 'organizations/members/u4/organizations': list });

  /** The roles that Keycloak says the user has in effect, of the realm or of a client, and those that are mapped. */
  const roles = (effective: readonly object[], mappings: unknown, list = 'realm') => ({
    'users/u4/groups': [],
    [`users/u4/role-mappings/${list}/composite`]: effective,
    'users/u4/role-mappings': mappings,
  });
  /** Who has the role by a group, or by one above it. */
  const byGroup = {
    ...roles([AUDITOR], {}),
    'users/u4/groups': [named('g2', 'eu', { path: '/audit/eu', parentId: 'g1' })],
    'groups/g1': named('g1', 'audit'),
    'groups/g1/role-mappings': { realmMappings: [CHIEF] },
    'roles-by-id/r2/composites': [AUDITOR],
  };

  const readShort = (name: string, answers: Answers) =>
    readKeycloakMembers(
      realm({ 'users/u4': user('u4'), ...answers }),
      new KeycloakNames(),
      { pageSize: 2, admitted: new Map([[name, ['u4', 'gone']]]) },
      [name],
      new AbortController().signal,
    );

  it.each<[string, string, Answers, Answers]>([
    ['a group', 'ops', OPS, IN_OPS],
    ['a group that Keycloak does not find', 'ops', {}, IN_OPS],
    ['a role', 'auditor', { 'roles/auditor': AUDITOR }, roles([AUDITOR], { realmMappings: [AUDITOR] })],
    [
      'a role that another one contains, which no list shows',
      'auditor',
      { 'roles/auditor': AUDITOR, 'roles-by-id/r2/composites': [AUDITOR] },
      roles([AUDITOR], { realmMappings: [CHIEF] }),
    ],
    ['a role of a group that no list shows', 'auditor', { 'roles/auditor': AUDITOR }, byGroup],
    [
      "a client's role",
      'client/api/reader',
      CLIENT,
      roles([READER], { clientMappings: { api: { mappings: [READER] } } }, 'clients/c1'),
    ],
    [
      'an organization',
      'organization/acme',
      { ...ORGANIZATIONS, organizations: [ACME] },
      joined({ alias: 'zenith', enabled: true }, ACME),
    ],
    [
      'an organization that its list lacks',
      'organization/acme',
      {
        ...ORGANIZATIONS,
        organizations: [],
        clients: [{ id: 'c0', clientId: 'scopemesh' }],
        'clients/c0/service-account-user': { id: 'me' },
        'ui-ext/effective-roles/users/me': [{ client: 'realm-management', role: 'view-organizations' }],
      },
      joined(ACME),
    ],
  ])('keep it while Keycloak shows them with %s', async (_, name, found, held) => {
    const unlisted = new Map([[name, new Set(['u4'])]]);
    expect((await readShort(name, { ...found, ...held })).unreadable?.unlisted).toEqual(unlisted);
    for (const person of [undefined, user('u4', { enabled: false })])
      expect((await readShort(name, { ...found, ...held, 'users/u4': person })).unreadable).toBeUndefined();
    const elsewhere = {
      'users/u4/groups': [named('g9', 'ops', { path: '/teams/ops' })],
      [`users/u4/role-mappings/${name.startsWith('client/') ? 'clients/c1' : 'realm'}/composite`]: [
        named('r9'),
      ],
      ...joined({ ...ACME, alias: 'zenith' }, { ...ACME, enabled: false }),
    };
    expect((await readShort(name, { ...found, ...elsewhere })).unreadable).toBeUndefined();
    // An answer that cannot be parsed proves nothing.
    const spoilt = { ...found, ...held, 'users/u4': { id: 'u4' } };
    expect((await readShort(name, spoilt)).unreadable?.unlisted).toEqual(unlisted);
  });

  it.each<[string, unknown]>([
    ['by no role that is mapped', { realmMappings: null }],
    [
      'only through a role of another client',
      {
        clientMappings: {
          b: { mappings: [named('r8', 'all', { composite: true, clientRole: true, containerId: 'c2' })] },
        },
      },
    ],
  ])('lose a role that Keycloak calls effective %s', async (_, mappings) => {
    const found = { 'roles/auditor': AUDITOR, 'roles-by-id/r8/composites': [AUDITOR] };
    expect(
      (await readShort('auditor', { ...found, ...roles([AUDITOR], mappings) })).unreadable,
    ).toBeUndefined();
  });

  it('keep a role if its way is longer than can be followed, through roles that contain each other', async () => {
    const endless = Array.from({ length: 200 }, (_, at) => named(`x${at}`, 'x', { composite: true }));
    const found: Record<string, unknown> = { 'roles/auditor': AUDITOR };
    for (const [at, { id }] of endless.entries())
      found[`roles-by-id/${id}/composites`] = [endless[(at + 1) % endless.length], endless[0]];
    const held = roles([AUDITOR], { realmMappings: [endless[0]] });
    expect((await readShort('auditor', { ...found, ...held })).unreadable?.unlisted?.size).toBe(1);
    found['roles-by-id/x9/composites'] = [endless[0]];
    expect((await readShort('auditor', { ...found, ...held })).unreadable).toBeUndefined();
  });

  it('lose an organization once the realm has organizations switched off', async () => {
    const off = { '': { organizationsEnabled: false }, ...joined(ACME) };
    expect((await readShort('organization/acme', off)).unreadable).toBeUndefined();
  });
});

describe('the members of a Keycloak organization', () => {
  const organizations = (...list: readonly unknown[]): Answers => ({
    '': { organizationsEnabled: true },
    organizations: list,
    'organizations/o1/members': [user('u1')],
  });
  const acme = { id: 'o1', alias: 'acme', enabled: true };

  it.each<[string, unknown]>([
    ['without an id', { alias: 'zenith', enabled: true }],
    ['that is shown in part', { id: 'o2', alias: 'zenith' }],
    ['without an alias', { id: 'o2', enabled: true }],
  ])('are unknown beside a record %s, and known for the others', async (_, spoilt) => {
    const members = await readAll(organizations(spoilt, acme), 'organization/zenith', 'organization/acme');
    expect(members.get('organization/acme')).toEqual(['u1']);
    expect(members.unreadable?.groups).toEqual(new Set(['organization/zenith']));
  });
});
