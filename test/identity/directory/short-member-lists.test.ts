import type { ServerResponse } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import type { Directory } from '../../../src/identity/directory.js';
import type { Logger } from '../../../src/observe.js';
import { silentLogger } from '../../../src/observe.js';
import { startAuth0 } from '../../support/auth0/auth0.js';
import { startEntra } from '../../support/entra/entra.js';
import { partsOf } from '../../support/entra/parts.js';
import { guidOf } from '../../support/entra/tenant.js';
import { ALL_SCOPES } from '../../support/okta/server.js';
import { startOktaWorld } from '../../support/okta/world.js';
import { openAuth0 } from '../auth0/open.js';

const signal = new AbortController().signal;
const NAMES = ['ann', 'bea', 'cid', 'dan', 'eva', 'fay', 'gus'];

interface People {
  readonly directory: Directory;
  readonly group: string;
  subjectOf(name: string): string;
  setMembers(names: readonly string[]): void;
  /** What no list shows any more: a person who was deleted. */
  remove(name: string): void;
  /** Makes the provider answer the list with nothing. */
  empty(list: string): void;
  /** Makes the list lack these people alone. */
  hide(...names: readonly string[]): void;
  /** How often the provider was asked for one person. */
  asked(): number;
  stop(): Promise<void>;
}

async function okta(more: { readonly logger?: Logger } = {}) {
  const world = await startOktaWorld();
  const { server } = world;
  const { id } = server.org.addGroup('oncall');
  const users = new Map(NAMES.map((name) => [name, server.org.addUser(`${name}@example.com`)]));
  const setMembers = (names: readonly string[]) =>
    server.org.setMembers(
      id,
      names.flatMap((name) => users.get(name) ?? []),
    );
  setMembers(NAMES);
  const answer = (response: ServerResponse, body: unknown) => {
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    return true;
  };
  const isMembers = ({ pathname }: URL) => pathname === `/api/v1/groups/${id}/users`;
  return {
    world,
    directory: world.open(more).directory,
    group: 'oncall',
    subjectOf: (name: string) => `${name}@example.com`,
    setMembers,
    remove: (name: string) => server.org.deleteUser(`${name}@example.com`),
    empty(list: string) {
      server.fault = (url, response) =>
        (list === 'members' ? isMembers(url) : url.searchParams.has('search')) && answer(response, []);
    },
    hide(...names: readonly string[]) {
      const rest = [...users].flatMap(([name, user]) => (names.includes(name) ? [] : [user]));
      const shown = rest.map((user) => ({ ...user, profile: { login: user.login } }));
      server.fault = (url, response) => isMembers(url) && answer(response, shown);
    },
    asked: () => server.requests.filter((line) => /^GET \/api\/v1\/users\/[^/]+$/.test(line)).length,
    stop: () => world.stop(),
  };
}

async function entra(): Promise<People> {
  const tenant = await startEntra();
  const group = guidOf('oncall');
  for (const name of NAMES) tenant.tenant.put('users', { id: guidOf(name), accountEnabled: true });
  const setMembers = (names: readonly string[]) =>
    tenant.tenant.put('groups', { id: group, members: names.map(guidOf) });
  setMembers(NAMES);
  const show = (names: readonly string[]) => {
    const shown = names.map((name) => ({
      '@odata.type': '#microsoft.graph.user',
      id: guidOf(name),
      accountEnabled: true,
    }));
    tenant.fault = (url) =>
      url.pathname.endsWith('/transitiveMembers') ? { status: 200, json: { value: shown } } : undefined;
  };
  return {
    directory: partsOf(tenant, []).directory,
    group,
    subjectOf: guidOf,
    setMembers,
    remove: (name) => tenant.tenant.remove('users', guidOf(name)),
    empty: () => show([]),
    hide: (...names) => show(NAMES.filter((each) => !names.includes(each))),
    asked: () => tenant.requests.filter((line) => line.endsWith('/checkMemberGroups')).length,
    stop: () => tenant.close(),
  };
}

async function auth0(): Promise<People> {
  const tenant = await startAuth0();
  const subjectOf = (name: string) => `auth0|${name}`;
  const setMembers = (names: readonly string[]) => {
    for (const name of NAMES) tenant.putUser(subjectOf(name), names.includes(name) ? ['oncall'] : []);
  };
  setMembers(NAMES);
  const show = (names: readonly string[]) => {
    const users = names.map((name) => ({ user_id: subjectOf(name) }));
    tenant.fault = ({ segments: [first, , below] }) =>
      first === 'roles' && below === 'users' ? { json: { users } } : undefined;
  };
  return {
    directory: openAuth0(tenant).directory,
    group: 'oncall',
    subjectOf,
    setMembers,
    remove: (name) => tenant.deleteUser(subjectOf(name)),
    empty(list) {
      if (list === 'members') show([]);
      else
        tenant.fault = ({ segments }) =>
          segments.join('/') === 'roles' ? { json: { roles: [], total: 0 } } : undefined;
    },
    hide: (...names) => show(NAMES.filter((each) => !names.includes(each))),
    asked: () => tenant.asked.filter(({ segments: [first, , below] }) => first === 'users' && below).length,
    stop: () => tenant.close(),
  };
}

let people: People | undefined;
afterEach(async () => {
  await people?.directory.close();
  await people?.stop();
});

/** Who has access after a read: as after a start, nothing was read before, and all have access by Consul. */
async function read({ directory, group, subjectOf }: People, names = NAMES) {
  const admitted = new Map([[group, names.map(subjectOf)]]);
  const members = await directory.readMembers?.([group], signal, admitted);
  return [...(members?.get(group) ?? []), ...(members?.unreadable?.unlisted?.get(group) ?? [])].sort();
}

/** The people who keep their membership although the list lacks them. */
async function readUnlisted({ directory, group, subjectOf }: People) {
  const admitted = new Map([[group, NAMES.map(subjectOf)]]);
  const members = await directory.readMembers?.([group], signal, admitted);
  return [...(members?.unreadable?.unlisted?.get(group) ?? [])].sort();
}

const PROVIDERS: readonly (readonly [string, () => Promise<People>, readonly string[]])[] = [
  ['Okta', okta, ['members', 'groups']],
  ['Entra', entra, ['members']],
  ['Auth0', auth0, ['members', 'roles']],
];

describe.each(PROVIDERS)('The members of a group of %s', (_, start, lists) => {
  it('include those who have access and are still members although a list lacks them', async () => {
    people = await start();
    for (const list of lists) {
      people.empty(list);
      expect(await readUnlisted(people), list).toEqual(NAMES.map(people.subjectOf).sort());
    }
    people.hide('dan');
    expect(await readUnlisted(people)).toEqual([people.subjectOf('dan')]);
  });

  it('do not include somebody who left beside somebody whom a list lacks', async () => {
    people = await start();
    people.setMembers(NAMES.filter((name) => name !== 'bea'));
    people.hide('dan', 'bea');
    expect(await readUnlisted(people)).toEqual([people.subjectOf('dan')]);
  });

  it('lose those who left or were deleted, for at most five questions', async () => {
    people = await start();
    people.setMembers(['eva', 'fay']);
    people.remove('fay');
    expect(await read(people)).toEqual([people.subjectOf('eva')]);
    expect(people.asked()).toBeGreaterThan(0);
    expect(people.asked()).toBeLessThanOrEqual(5);
    people.setMembers([]);
    expect(await read(people)).toEqual([]);
  });

  it('cost no question if the list shows everybody who has access', async () => {
    people = await start();
    expect(await read(people)).toHaveLength(NAMES.length);
    expect(await read(people, ['ann'])).toHaveLength(NAMES.length);
    expect(people.asked()).toBe(0);
  });
});

describe('A person of Okta whom a list of members lacks', () => {
  it.each(['SUSPENDED', 'DEPROVISIONED'])('loses access if the account is %s', async (status) => {
    const org = await okta();
    people = org;
    org.world.server.org.setUserStatus('dan@example.com', status, 'user.lifecycle.suspend');
    people.hide('dan');
    expect(await read(people)).toHaveLength(NAMES.length - 1);
  });

  it('is not taken for another whose login begins like theirs', async () => {
    const org = await okta();
    people = org;
    const admitted = new Map([['oncall', ['dan']]]);
    const members = await people.directory.readMembers?.(['oncall'], signal, admitted);
    expect(members?.unreadable).toBeUndefined();
  });

  it('is a member by the group made in Okta, not by an imported one with its name', async () => {
    const org = await okta();
    people = org;
    const { id } = org.world.server.org.addGroup('oncall', 'APP_GROUP');
    org.world.server.org.setMembers(id, [org.world.server.org.addUser('zoe@example.com')]);
    const admitted = new Map([['oncall', ['zoe@example.com']]]);
    const members = await people.directory.readMembers?.(['oncall'], signal, admitted);
    expect(members?.unreadable).toBeUndefined();
  });

  it('loses access if scopemesh may not ask for that person, and others are still asked for', async () => {
    const org = await okta();
    people = org;
    people.hide('ann', 'dan');
    const { fault } = org.world.server;
    org.world.server.fault = (url, response, request) => {
      if (url.pathname !== '/api/v1/users/ann%40example.com') return fault(url, response, request);
      const refusal = { errorCode: 'E0000006', errorSummary: 'You do not have permission' };
      response.writeHead(403, { 'content-type': 'application/json' }).end(JSON.stringify(refusal));
      return true;
    };
    expect(await readUnlisted(people)).toEqual([people.subjectOf('dan')]);
  });

  it('loses access if the scope to ask for people is not granted, and that is logged', async () => {
    const warnings: object[] = [];
    const logger = { ...silentLogger, warn: (fields: object) => warnings.push(fields) };
    const org = await okta({ logger });
    people = org;
    const orgScopes = ALL_SCOPES.filter((scope) => scope !== 'okta.users.read');
    org.world.server.org.changeApp(org.world.server.reader.id, { orgScopes });
    people.hide('dan');
    expect(await read(people)).toHaveLength(NAMES.length - 1);
    expect(warnings).toEqual([
      expect.objectContaining({ remedy: expect.stringContaining('okta.users.read') }),
    ]);
  });
});

it('A user of Auth0 whom a list lacks keeps access by a role on a later page of roles', async () => {
  const tenant = await startAuth0();
  const directory = openAuth0(tenant, { pageSize: 1 }).directory;
  try {
    tenant.putUser('auth0|ann', ['first', 'oncall']);
    tenant.putUser('auth0|bea', ['first']);
    tenant.fault = ({ segments: [first, , below] }) =>
      first === 'roles' && below === 'users' ? { json: { users: [] } } : undefined;
    const admitted = new Map([['oncall', ['auth0|ann', 'auth0|bea']]]);
    const members = await directory.readMembers?.(['oncall'], signal, admitted);
    expect(members?.unreadable?.unlisted).toEqual(new Map([['oncall', new Set(['auth0|ann'])]]));
  } finally {
    await directory.close();
    await tenant.close();
  }
});
