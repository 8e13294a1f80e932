import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/clock.js';
import { IncompleteRead } from '../../../src/errors.js';
import { createKeycloak } from '../../../src/identity/keycloak/keycloak.js';
import type { IdentityEvent } from '../../../src/identity/source.js';
import { formatKey } from '../../../src/model/key.js';
import { Secret } from '../../../src/model/secret.js';
import { noMetrics, silentLogger } from '../../../src/observe.js';
import { type DirectoryWorld, describeDirectory } from '../../conformance/directory.js';
import { connectKeycloak, type KeycloakOfRun } from '../../stack/connect-keycloak.js';

const signal = new AbortController().signal;
let server: KeycloakOfRun;

beforeAll(async () => {
  server = await connectKeycloak();
});

async function open(
  realm: string,
  login?: { clientId: string; clientSecret: string },
  apis?: readonly string[],
) {
  const reader = login ?? (await server.admin.createReader(realm));
  return createKeycloak({
    provider: 'main',
    issuer: `${server.address}/realms/${realm}`,
    clientId: reader.clientId,
    clientSecret: new Secret(reader.clientSecret),
    serviceAccountRoles: true,
    ...(apis === undefined ? {} : { apis }),
    webhookSecrets: [new Secret('webhook-secret')],
    pageSize: 7,
    clock: systemClock,
    logger: silentLogger,
    metrics: noMetrics,
  });
}

async function startWorld(): Promise<DirectoryWorld> {
  const { admin } = server;
  const realm = 'conformance';
  await admin.createRealm(realm);
  for (const scope of ['t:read', 't:write']) await admin.createClientScope(realm, scope);
  const { directory } = await open(realm);
  return {
    directory,
    async addClient({ clientId, scopes, attributes = {}, accessTokenLifetimeSeconds }) {
      const lifespan =
        accessTokenLifetimeSeconds === undefined
          ? {}
          : { 'access.token.lifespan': String(accessTokenLifetimeSeconds) };
      await admin.createClient(realm, clientId, {
        directAccessGrantsEnabled: false,
        attributes: { ...attributes, ...lifespan },
      });
      for (const scope of scopes) await admin.addScope(realm, clientId, scope);
    },
    addScope: (clientId, scope) => admin.addScope(realm, clientId, scope, 'optional'),
    removeScope: (clientId, scope) => admin.removeScope(realm, clientId, scope),
    setEnabled: (clientId, enabled) => admin.updateClient(realm, clientId, { enabled }),
    deleteClient: (clientId) => admin.deleteClient(realm, clientId),
    stop: async () => {
      await directory.close();
      await admin.deleteRealm(realm);
    },
  };
}

describeDirectory('Keycloak', startWorld);

describe('a real Keycloak', () => {
  const realm = 'facts';
  let keycloak: ReturnType<typeof createKeycloak>;
  beforeAll(async () => {
    await server.admin.createRealm(realm, { accessTokenLifespan: 240 });
    keycloak = await open(realm);
  });
  afterAll(async () => {
    await keycloak?.directory.close();
    await server.admin.deleteRealm(realm);
  });
  const read = (clientId: string) => keycloak.directory.read('clientId', clientId, signal);

  it('gives the lifespan of the realm if the client has none', async () => {
    await server.admin.createClient(realm, 'plain');
    expect(await read('plain')).toMatchObject({ accessTokenLifetimeSeconds: 240 });
  });

  it('shows the effective roles of a service account as grants, a client’s with its api', async () => {
    const { admin } = server;
    await admin.createClient(realm, 'worker');
    await admin.createClient(realm, 'ledger');
    const ledger = await admin.clientUuid(realm, 'ledger');
    await admin.request('POST', `/${realm}/clients/${ledger}/roles`, { name: 'entries:write' });
    await admin.createRealmRole(realm, 'outer');
    await admin.createRealmRole(realm, 'inner');
    const inner = await admin.request('GET', `/${realm}/roles/inner`);
    await admin.request('POST', `/${realm}/roles/outer/composites`, [inner]);
    await admin.grantRealmRole(realm, 'worker', 'outer');
    await admin.grantClientRoles(realm, 'worker', 'ledger', ['entries:write']);

    const grants = (await read('worker'))?.grants ?? [];
    expect(grants).toContainEqual({ name: 'outer' });
    expect(grants).toContainEqual({ name: 'inner' });
    expect(grants).toContainEqual({ api: 'ledger', name: 'entries:write' });

    await admin.updateClient(realm, 'worker', { fullScopeAllowed: false });
    const limited = (await read('worker'))?.grants ?? [];
    expect(limited).not.toContainEqual({ name: 'outer' });
    expect(limited).not.toContainEqual({ api: 'ledger', name: 'entries:write' });
    const worker = await admin.clientUuid(realm, 'worker');
    const outer = await admin.request('GET', `/${realm}/roles/outer`);
    await admin.request('POST', `/${realm}/clients/${worker}/scope-mappings/realm`, [outer]);
    const role = await admin.request(
      'GET',
      `/${realm}/clients/${ledger}/roles/${encodeURIComponent('entries:write')}`,
    );
    await admin.request('POST', `/${realm}/clients/${worker}/scope-mappings/clients/${ledger}`, [role]);
    const mapped = (await read('worker'))?.grants ?? [];
    expect(mapped).toContainEqual({ name: 'outer' });
    expect(mapped).toContainEqual({ name: 'inner' });
    expect(mapped).toContainEqual({ api: 'ledger', name: 'entries:write' });

    await admin.revokeRealmRole(realm, 'worker', 'outer');
    expect((await read('worker'))?.grants).not.toContainEqual({ name: 'outer' });
    const { clients } = await keycloak.directory.readAll(signal);
    expect(clients.find((client) => client.clientId === 'worker')).toEqual(await read('worker'));
  });

  it('shows only roles of the listed APIs, and reports which one a change took away', async () => {
    const { admin } = server;
    const reader = await secondReader('reads-apis');
    const some = await open(realm, reader, ['orders-api']);
    const api = await admin.createClient(realm, 'orders-api');
    const other = await admin.createClient(realm, 'billing-api');
    await admin.createClient(realm, 'caller');
    for (const owner of [api, other])
      for (const name of ['direct', 'nested', 'grouped', 'renamed', 'whole'])
        await admin.request('POST', `/${realm}/clients/${owner}/roles`, { name });
    for (const name of ['direct', 'whole', 'renamed'])
      for (const owner of ['orders-api', 'billing-api'])
        await admin.grantClientRoles(realm, 'caller', owner, [name]);
    const role = (name: string) => admin.request('GET', `/${realm}/clients/${api}/roles/${name}`);
    await admin.createRealmRole(realm, 'bundle');
    await admin.request('POST', `/${realm}/roles/bundle/composites`, [await role('nested')]);
    await admin.grantRealmRole(realm, 'caller', 'bundle');
    await admin.request('POST', `/${realm}/groups`, { name: 'callers' });
    const group = idOf(await admin.request('GET', `/${realm}/group-by-path/callers`));
    const mapping = `/${realm}/groups/${group}/role-mappings/clients/${api}`;
    await admin.request('POST', mapping, [await role('grouped')]);
    const caller = await admin.clientUuid(realm, 'caller');
    const account = idOf(await admin.request('GET', `/${realm}/clients/${caller}/service-account-user`));
    await admin.request('PUT', `/${realm}/users/${account}/groups/${group}`);

    const held = async () => {
      const client = await some.directory.read('clientId', 'caller', signal);
      return client?.grants.flatMap(({ api: owner, name }) =>
        owner === undefined ? [] : [`${owner} ${name}`],
      );
    };
    const all = ['direct', 'grouped', 'nested', 'renamed', 'whole'].map((name) => `orders-api ${name}`);
    expect(await held()).toEqual(all);
    await some.directory.readAll(signal);

    let { cursor } = await some.poll.poll(undefined, signal);
    /** The roles that the event reports as lost to a full comparison. */
    const lostRoles = async (act: () => Promise<unknown>) => {
      await act();
      const result = await some.poll.poll(cursor, signal);
      cursor = result.cursor;
      const triggers = result.events.flatMap((event) => event.triggers).filter((each) => each.fullRead);
      expect(triggers.map((each) => each.urgent)).toContain(true);
      return triggers
        .flatMap((each) => each.evidence ?? [])
        .flatMap(({ api: owner, scopes = [] }) => scopes.map((name) => `${owner} ${name}`));
    };
    const nested = await role('nested');
    expect(
      await lostRoles(() => admin.request('DELETE', `/${realm}/roles/bundle/composites`, [nested])),
    ).toEqual(['orders-api nested']);
    const grouped = await role('grouped');
    expect(await lostRoles(() => admin.request('DELETE', mapping, [grouped]))).toEqual([
      'orders-api grouped',
    ]);
    expect(await lostRoles(() => admin.request('DELETE', `/${realm}/clients/${api}/roles/direct`))).toEqual([
      'orders-api direct',
    ]);
    const renamed = idOf(await role('renamed'));
    const fields = { name: 'new-name', clientRole: true, containerId: api };
    expect(await lostRoles(() => admin.request('PUT', `/${realm}/roles-by-id/${renamed}`, fields))).toEqual([
      'orders-api renamed',
    ]);
    expect(await held()).toEqual(['orders-api new-name', 'orders-api whole']);
    await some.directory.readAll(signal);
    const gone = await lostRoles(() => admin.deleteClient(realm, 'orders-api'));
    expect(gone).toEqual(expect.arrayContaining(['orders-api new-name', 'orders-api whole']));
    expect(await held()).toEqual([]);
    await some.directory.close();
  });

  it('finds a client by the user of its service account in any case of its ID, and none by a person', async () => {
    const { admin } = server;
    const id = await admin.createClient(realm, 'Mixed-Case');
    const user = await admin.request('GET', `/${realm}/clients/${id}/service-account-user`);
    const userId = String(Reflect.get(Object(user), 'id'));
    const fresh = await open(realm, await secondReader('by-user'));
    for (const each of [fresh, keycloak]) {
      const found = await each.directory.read('serviceAccount', userId, signal);
      expect(found).toMatchObject({ clientId: 'Mixed-Case', internalId: id });
    }
    await admin.request('POST', `/${realm}/users`, { username: 'alice', enabled: true });
    const [alice] = (await admin.request('GET', `/${realm}/users?username=alice`)) as { id: string }[];
    expect(await fresh.directory.read('serviceAccount', String(alice?.id), signal)).toBeUndefined();
    await admin.deleteClient(realm, 'Mixed-Case');
    for (const each of [fresh, keycloak]) {
      expect(await each.directory.read('serviceAccount', userId, signal)).toBeUndefined();
    }
    await fresh.directory.close();
  });

  it.each([
    ['no role', [], 'ERR_DIRECTORY_DENIED'],
    ['query-clients alone', ['query-clients'], 'ERR_DIRECTORY_INCOMPLETE'],
  ])('is never read as empty with %s', async (_, roles, code) => {
    const { directory } = await open(realm, await secondReader(`weak-${roles.length}`, roles));
    await expect(directory.readAll(signal)).rejects.toMatchObject({ code });
    await expect(directory.read('clientId', 'plain', signal)).rejects.toMatchObject({ code });
    await expect(directory.read('clientId', 'nobody', signal)).rejects.toMatchObject({ code });
    const absent = '5cc257c9-81f6-4900-9913-868a79dc25ab';
    await expect(directory.read('internalId', absent, signal)).rejects.toMatchObject({ code });
    await directory.close();
  });

  it.each([
    ['all of them', ['view-clients', 'view-realm', 'view-events', 'view-users'], []],
    ['none', [], ['view-clients', 'view-realm', 'view-events', 'view-users']],
    [
      'those to query',
      ['query-clients', 'query-users'],
      ['view-clients', 'view-realm', 'view-events', 'view-users'],
    ],
    ['those to query people', ['view-clients', 'view-realm', 'view-events', 'query-users'], ['view-users']],
    ['all but one', ['view-clients', 'view-events', 'view-users'], ['view-realm']],
  ])('names the missing roles of its token with %s', async (name, roles, lacking) => {
    const { directory } = await open(realm, await secondReader(`asks-${name.replaceAll(' ', '-')}`, roles));
    const checks = (await directory.checkAccess?.(signal)) ?? [];
    const missing = checks.flatMap(({ permission, isGranted }) => (isGranted ? [] : [permission]));
    expect(missing).toEqual(lacking.map((role) => `realm-management/${role}`));
    await directory.close();
  });

  it('is never read as empty if fine-grained permissions show only some clients', async () => {
    const { admin } = server;
    const id = await admin.createClient(realm, 'partial', { secret: 'partial-secret' });
    await admin.request('PUT', `/${realm}`, { adminPermissionsEnabled: true });
    await admin.grantClientRoles(realm, 'partial', 'realm-management', ['query-clients']);
    const user = await admin.request('GET', `/${realm}/clients/${id}/service-account-user`);
    const permissions = await admin.clientUuid(realm, 'admin-permissions');
    const policy = await admin.request(
      'POST',
      `/${realm}/clients/${permissions}/authz/resource-server/policy/user`,
      {
        name: 'partial',
        users: [Reflect.get(Object(user), 'id')],
      },
    );
    await admin.request('POST', `/${realm}/clients/${permissions}/authz/resource-server/permission/scope`, {
      name: 'partial-view',
      resourceType: 'Clients',
      resources: [id, await admin.clientUuid(realm, 'realm-management')],
      scopes: ['view'],
      policies: [Reflect.get(Object(policy), 'id')],
    });
    const { directory } = await open(realm, { clientId: 'partial', clientSecret: 'partial-secret' });
    // It sees itself and the built-in client, and yet not everything.
    expect(await directory.read('clientId', 'realm-management', signal)).toBeDefined();
    await expect(directory.readAll(signal)).rejects.toBeInstanceOf(IncompleteRead);
    await expect(directory.read('clientId', 'plain', signal)).rejects.toBeInstanceOf(IncompleteRead);
    await directory.close();
    await admin.request('PUT', `/${realm}`, { adminPermissionsEnabled: false });
  });

  it('continues after all sessions ended', async () => {
    await keycloak.directory.readAll(signal);
    await server.admin.request('POST', `/${realm}/logout-all`);
    expect((await keycloak.directory.readAll(signal)).clients.length).toBeGreaterThan(3);
  });

  it('reports the same events by webhook and by poll, and none twice', async () => {
    const { admin } = server;
    const received: IdentityEvent[] = [];
    const { address, close } = await receiver(keycloak, received);
    await admin.registerWebhook(realm, { url: address, secret: 'webhook-secret' });
    const start = await keycloak.poll.poll(undefined, signal);

    await admin.createClientScope(realm, 'e:read');
    await admin.createClient(realm, 'evented');
    await admin.addScope(realm, 'evented', 'e:read');
    await admin.removeScope(realm, 'evented', 'e:read');
    await admin.grantRealmRole(realm, 'evented', 'inner');
    await admin.rotateSecret(realm, 'evented');
    await admin.updateClient(realm, 'evented', { enabled: false });
    await admin.request('PUT', `/${realm}`, { accessTokenLifespan: 180 });
    await admin.deleteClientScope(realm, 'e:read');
    await admin.deleteClient(realm, 'evented');

    const polled = await keycloak.poll.poll(start.cursor, signal);
    expect(polled.gap).toBe(false);
    await expect
      .poll(() => received.length, { timeout: 10_000 })
      .toBeGreaterThanOrEqual(polled.events.length);
    const bare = (event: IdentityEvent | undefined) =>
      event && {
        id: event.id,
        occurredAt: event.occurredAt,
        triggers: event.triggers.map((trigger) => formatKey(trigger.key)),
        orders: event.orders.map((order) => [order.kind, order.clientId, order.internalId]),
      };
    const sent = new Map(received.map((event) => [event.id, event]));
    expect(polled.events).toHaveLength(10);
    for (const event of polled.events) expect(bare(event)).toEqual(bare(sent.get(event.id)));
    expect(polled.events.flatMap((event) => event.orders.map((order) => order.kind))).toEqual([
      'client-disabled',
      'client-deleted',
    ]);
    expect(await keycloak.poll.poll(polled.cursor, signal)).toMatchObject({ events: [], gap: false });
    await close();
  });

  it('reports a gap after its log was cleared, and refuses a log that is off', async () => {
    const { admin } = server;
    await admin.createClient(realm, 'before-clearing');
    const start = await keycloak.poll.poll(undefined, signal);
    await admin.request('DELETE', `/${realm}/admin-events`);
    const cleared = await keycloak.poll.poll(start.cursor, signal);
    expect(cleared.gap).toBe(true);
    await admin.createClient(realm, 'after-clearing');
    const after = await keycloak.poll.poll(cleared.cursor, signal);
    expect(after.gap).toBe(false);
    expect(after.events.flatMap((event) => event.triggers.map((each) => formatKey(each.key)))).toContain(
      'client/main/after-clearing',
    );
    await admin.request('PUT', `/${realm}/events/config`, { adminEventsEnabled: false });
    await expect(keycloak.poll.poll(after.cursor, signal)).rejects.toThrow(/Save events/);
  });

  async function secondReader(clientId: string, roles?: string[]) {
    if (roles === undefined) return server.admin.createReader(realm, clientId);
    await server.admin.createClient(realm, clientId, { secret: `${clientId}-secret` });
    if (roles.length > 0) await server.admin.grantClientRoles(realm, clientId, 'realm-management', roles);
    return { clientId, clientSecret: `${clientId}-secret` };
  }
});

function idOf(value: unknown): string {
  const id: unknown = typeof value === 'object' && value !== null ? Reflect.get(value, 'id') : undefined;
  if (typeof id !== 'string') throw new Error('Keycloak answered without an id');
  return id;
}

/** Takes the webhook's deliveries as the intake does. */
async function receiver(keycloak: ReturnType<typeof createKeycloak>, into: IdentityEvent[]) {
  const http = createServer(async (request, response) => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const headers = Object.fromEntries(
      Object.entries(request.headers).map(([name, value]) => [name, String(value)]),
    );
    const receivedAt = new Date().toISOString();
    const raw = { method: 'POST', headers, query: {}, body: Buffer.concat(chunks), receivedAt };
    try {
      const reception = await keycloak.source?.receive(raw);
      if (reception?.kind === 'events') into.push(...reception.events);
      response.writeHead(204).end();
    } catch {
      response.writeHead(400).end();
    }
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  return {
    address: `http://127.0.0.1:${(http.address() as AddressInfo).port}/`,
    close: () => new Promise((resolve) => http.close(resolve)),
  };
}
