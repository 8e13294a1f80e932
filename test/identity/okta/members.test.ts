import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Directory } from '../../../src/identity/directory.js';
import { type OktaWorld, startOktaWorld } from '../../support/okta/world.js';

const signal = new AbortController().signal;
let world: OktaWorld;
let directory: Directory;

beforeEach(async () => {
  world = await startOktaWorld();
  directory = world.open().directory;
});
afterEach(async () => {
  await directory.close();
  await world.server.stop();
});
const membersOf = async (...groups: string[]) =>
  Object.fromEntries((await directory.readMembers?.(groups, signal)) ?? []);

describe('the members of a group', () => {
  it('are its active people, by their login, over all pages', async () => {
    const { org } = world.server;
    world.server.pageLimit = 2;
    const people = ['ada', 'bob', 'cyd', 'dan', 'eve'].map((name) => org.addUser(`${name}@example.com`));
    org.setMembers(org.addGroup('oncall').id, people);
    org.setUserStatus('bob@example.com', 'SUSPENDED', 'user.lifecycle.suspend');
    org.setUserStatus('dan@example.com', 'DEPROVISIONED', 'user.lifecycle.deactivate');
    expect(await membersOf('oncall')).toEqual({
      oncall: ['ada@example.com', 'cyd@example.com', 'eve@example.com'],
    });
  });

  it('are empty without such a group, or if the name of a group differs only in case', async () => {
    const { org } = world.server;
    org.setMembers(org.addGroup('OnCall').id, [org.addUser('ada@example.com')]);
    expect(await membersOf('oncall', 'nobody')).toEqual({ oncall: [], nobody: [] });
  });

  it('are found with any characters in the name', async () => {
    const { org } = world.server;
    const names = ['a "quoted" one', 'back\\slash', 'or profile.name pr', '" or "1" eq "1', 'ü & /'];
    for (const [at, name] of names.entries())
      org.setMembers(org.addGroup(name).id, [org.addUser(`p${at}@example.com`)]);
    for (const [at, name] of names.entries())
      expect(await membersOf(name)).toEqual({ [name]: [`p${at}@example.com`] });
  });

  it('are those of the group that was created in Okta if a directory imported one with the same name', async () => {
    const { org } = world.server;
    org.setMembers(org.addGroup('oncall', 'APP_GROUP').id, [org.addUser('mallory@example.com')]);
    org.setMembers(org.addGroup('oncall').id, [org.addUser('ada@example.com')]);
    expect(await membersOf('oncall')).toEqual({ oncall: ['ada@example.com'] });
  });

  it('are not guessed if two directories imported groups with the same name', async () => {
    const { org } = world.server;
    org.addGroup('oncall', 'APP_GROUP');
    org.addGroup('oncall', 'APP_GROUP');
    org.setMembers(org.addGroup('dev').id, [org.addUser('ada@example.com')]);
    const members = await directory.readMembers?.(['oncall', 'dev'], signal);
    expect([...(members ?? [])]).toEqual([
      ['oncall', []],
      ['dev', ['ada@example.com']],
    ]);
    expect(members?.unreadable?.groups).toEqual(new Set(['oncall']));
  });

  it.each([
    ['has its name', { profile: { name: 'oncall' } }, ['oncall']],
    ['has no name', { profile: 7 }, ['oncall']],
    ['has another name', { profile: { name: 'other' } }, []],
  ])('are unknown if a group that cannot be parsed %s, and known for the others', async (_, raw, unknown) => {
    const { org } = world.server;
    org.setMembers(org.addGroup('dev').id, [org.addUser('ada@example.com')]);
    world.server.fault = (url, response) => {
      if (!url.searchParams.get('search')?.includes('oncall')) return false;
      response
        .writeHead(200, { 'content-type': 'application/json' })
        .end(JSON.stringify([{ id: 'g', type: 7, ...raw }]));
      return true;
    };
    const members = await directory.readMembers?.(['oncall', 'dev'], signal);
    expect(members?.get('dev')).toEqual(['ada@example.com']);
    expect([...(members?.unreadable?.groups ?? [])]).toEqual(unknown);
  });

  it('are refused as a whole if a page fails', async () => {
    const { org } = world.server;
    world.server.pageLimit = 2;
    const people = ['ada', 'bob', 'cyd'].map((name) => org.addUser(`${name}@example.com`));
    org.setMembers(org.addGroup('oncall').id, people);
    world.server.fault = (url, response) => {
      if (!url.searchParams.has('after')) return false;
      response.writeHead(503).end();
      return true;
    };
    await expect(membersOf('oncall')).rejects.toMatchObject({ code: 'ERR_DIRECTORY_UNREACHABLE' });
  });
});
