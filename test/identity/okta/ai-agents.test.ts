import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Directory } from '../../../src/identity/directory.js';
import { ALL_SCOPES } from '../../support/okta/server.js';
import { type OktaWorld, startOktaWorld } from '../../support/okta/world.js';

const signal = new AbortController().signal;
let world: OktaWorld;
let directory: Directory;

beforeEach(async () => {
  world = await startOktaWorld();
  world.server.isSuperAdmin = true;
  const orgScopes = [...ALL_SCOPES, 'okta.aiAgents.read'];
  world.server.org.changeApp(world.server.reader.id, { orgScopes });
  directory = world.open({ aiAgents: true }).directory;
});
afterEach(async () => {
  await directory.close();
  await world.server.stop();
});
const read = (clientId: string) => directory.read('clientId', clientId, signal);

describe('a client of an AI agent', () => {
  it('has the client ID of the agent, and is enabled while the agent is active', async () => {
    const agent = world.server.org.addAgent();
    world.addClient({ clientId: agent.id }, ['orders:read']);
    expect(await read(agent.id)).toMatchObject({ actorKind: 'agent', enabled: true });
    agent.status = 'INACTIVE';
    expect(await read(agent.id)).toMatchObject({ actorKind: 'agent', enabled: false });
    const { clients } = await directory.readAll(signal);
    expect(clients.find(({ clientId }) => clientId === agent.id)).toEqual(await read(agent.id));
  });

  it('is an inactive agent once the agent is deleted from the register', async () => {
    const agent = world.server.org.addAgent();
    world.addClient({ clientId: agent.id }, ['orders:read']);
    world.server.org.removeAgent(agent.id);
    world.server.org.addAgent();
    expect(await read(agent.id)).toMatchObject({ actorKind: 'agent', enabled: false });
  });

  it('can be the app of the agent, which stays enabled for people who sign in there', async () => {
    const app = world.addClient({}, ['orders:read']);
    const agent = world.server.org.addAgent({ appId: app.id });
    expect(await read(app.id)).toMatchObject({ actorKind: 'agent', enabled: true });
    agent.status = 'STAGED';
    expect(await read(app.id)).toMatchObject({ actorKind: 'agent', enabled: true });
  });

  it('differs from a client that belongs to no agent', async () => {
    world.server.org.addAgent();
    const app = world.addClient({}, ['orders:read']);
    expect(await read(app.id)).not.toHaveProperty('actorKind');
  });

  it('is found on any page of the register', async () => {
    world.server.pageLimit = 2;
    const agents = Array.from({ length: 5 }, () => world.server.org.addAgent());
    for (const { id } of agents) world.addClient({ clientId: id }, []);
    const { clients } = await directory.readAll(signal);
    expect(clients.filter(({ actorKind }) => actorKind === 'agent')).toHaveLength(5);
  });
});

describe('the register of AI agents', () => {
  it('is read only if that is configured', async () => {
    const other = world.open();
    await other.directory.readAll(signal);
    await other.directory.close();
    expect(world.server.count('ai-agents')).toBe(0);
  });

  it.each<[string, unknown]>([
    ['is no list', { data: 'none' }],
    ['is a bare list', []],
    ['leads elsewhere', { data: [], _links: { next: { href: 'https://evil.example/workload-principals' } } }],
    [
      'leads back',
      { data: [], _links: { next: { href: '/workload-principals/api/v1/ai-agents?limit=200' } } },
    ],
  ])('fails the whole read if it %s', async (_, body) => {
    world.server.fault = (url, response) => {
      if (!url.pathname.endsWith('/ai-agents')) return false;
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
      return true;
    };
    await expect(directory.readAll(signal)).rejects.toMatchObject({ code: 'ERR_DIRECTORY_INCOMPLETE' });
  });

  it('needs a super administrator, and the check names that role', async () => {
    const check = async () =>
      Object.fromEntries(
        ((await directory.checkAccess?.(signal)) ?? []).map(({ permission, isGranted }) => [
          permission,
          isGranted,
        ]),
      );
    expect(await check()).toMatchObject({
      'okta.aiAgents.read': true,
      SUPER_ADMIN: true,
      READ_ONLY_ADMIN: true,
    });
    world.server.isSuperAdmin = false;
    expect(await check()).toMatchObject({
      'okta.aiAgents.read': true,
      SUPER_ADMIN: false,
      READ_ONLY_ADMIN: true,
    });
    await expect(directory.readAll(signal)).rejects.toMatchObject({ code: 'ERR_DIRECTORY_DENIED' });
  });
});
