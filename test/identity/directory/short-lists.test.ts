import type { ServerResponse } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/clock.js';
import { IncompleteRead } from '../../../src/errors.js';
import { withConfirmedLosses } from '../../../src/identity/confirmed-losses.js';
import type { Directory } from '../../../src/identity/directory.js';
import { createOidcDirectory } from '../../../src/identity/oidc/directory.js';
import type { OAuthClient } from '../../../src/model/client.js';
import { compareText } from '../../../src/model/compare-text.js';
import { noMetrics, silentLogger } from '../../../src/observe.js';
import { client } from '../../plan/scene.js';
import { API, READER, startAuth0 } from '../../support/auth0/auth0.js';
import { shape } from '../../support/auth0/shapes.js';
import { principalOf, startEntra } from '../../support/entra/entra.js';
import { partsOf } from '../../support/entra/parts.js';
import { appToWire } from '../../support/okta/wire.js';
import { startOktaWorld } from '../../support/okta/world.js';
import { openAuth0 } from '../auth0/open.js';
import { startDirectoryRig } from '../keycloak/directory-rig.js';
import { json } from '../keycloak/fake-keycloak.js';
import { startDirectoryServer } from '../oidc/directory-server.js';

const signal = new AbortController().signal;
const NAMES = ['first', 'second', 'third', 'fourth'];
const UNSEEN = { logger: silentLogger, metrics: noMetrics };

interface Shortened {
  readonly directory: Directory;
  /** Makes the provider answer the list with what it must always contain, and nothing else. */
  shorten(list: string): void;
  restore(): void;
  stop(): Promise<void>;
}

async function keycloak(): Promise<Shortened> {
  const rig = await startDirectoryRig();
  return {
    directory: rig.directory,
    shorten(list) {
      const own = rig.keycloak.clients.filter(({ clientId }) =>
        ['realm-management', 'scopemesh'].includes(clientId),
      );
      const users = [rig.keycloak.account('scopemesh')];
      rig.keycloak.fault = (url, response) => {
        const first = url.searchParams.get('first');
        if (first === null || !url.pathname.endsWith(list) || url.searchParams.has('search')) return false;
        json(response, 200, (list === '/users' ? users : own).slice(Number(first)));
        return true;
      };
    },
    restore() {
      rig.keycloak.fault = () => false;
    },
    stop: () => rig.stop(),
  };
}

async function okta(): Promise<Shortened> {
  const world = await startOktaWorld();
  for (const label of NAMES) world.addClient({ label }, ['orders:read']);
  const answer = (response: ServerResponse, body: unknown) => {
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    return true;
  };
  const other = world.server.org.addServer('api://another');
  return {
    directory: world.open().directory,
    shorten(list) {
      world.server.fault = (url, response) => {
        if (!url.pathname.endsWith(list)) return false;
        if (list === '/apps') return answer(response, [appToWire(world.server.reader)]);
        if (list !== '/authorizationServers') return answer(response, []);
        const issuer = `${world.server.address}/oauth2/${other.id}`;
        return answer(response, [{ id: other.id, issuer, audiences: ['api://another'], status: 'ACTIVE' }]);
      };
    },
    restore() {
      world.server.fault = () => false;
    },
    stop: () => world.stop(),
  };
}

async function auth0(): Promise<Shortened> {
  const tenant = await startAuth0();
  tenant.addApi(API, ['read:orders']);
  for (const name of NAMES) {
    tenant.addClient(name);
    tenant.grant(name, ['read:orders']);
  }
  const own = `${tenant.origin}/api/v2/`;
  const lists: Readonly<Record<string, readonly [string, unknown]>> = {
    clients: ['clients', shape('client', { client_id: READER.clientId, name: 'scopemesh-reader' })],
    'client-grants': [
      'client_grants',
      shape('client-grant', { id: 'cgr_own', client_id: READER.clientId, audience: own }),
    ],
    'resource-servers': ['resource_servers', shape('resource-server', { id: 'own', identifier: own })],
  };
  return {
    directory: openAuth0(tenant).directory,
    shorten(list) {
      tenant.fault = ({ segments, query }) => {
        const [field, entry] = lists[list] ?? [];
        if (segments.length !== 1 || segments[0] !== list || query.has('client_id') || field === undefined)
          return undefined;
        return { json: { [field]: [entry], total: 1, start: 0, limit: 100, length: 1 } };
      };
    },
    restore() {
      tenant.fault = undefined;
    },
    stop: () => tenant.close(),
  };
}

async function entra(): Promise<Shortened> {
  const tenant = await startEntra();
  tenant.addApi('orders', ['orders.read'], ['orders.browse']);
  for (const name of NAMES) {
    tenant.addClient(name);
    tenant.assignRole(name, 'orders', 'orders.read');
    tenant.consent(name, 'orders', 'orders.browse');
  }
  return {
    directory: partsOf(tenant, ['orders']).directory,
    shorten(list) {
      tenant.fault = (url) => {
        if (!url.pathname.endsWith(list) || url.searchParams.get('$filter')?.startsWith('clientId'))
          return undefined;
        const { servicePrincipals } = tenant.tenant.current;
        const own = [...servicePrincipals.values()].filter(({ id }) => id === principalOf('scopemesh'));
        return { status: 200, json: { value: list === '/v1.0/servicePrincipals' ? own : [] } };
      };
    },
    restore() {
      tenant.fault = undefined;
    },
    stop: () => tenant.close(),
  };
}

async function document(): Promise<Shortened> {
  const server = await startDirectoryServer();
  const clients = NAMES.map((clientId) => ({ clientId, scopes: ['orders:read'] }));
  let shown: readonly object[] = clients;
  server.answer = (path) => {
    const [, , clientId] = path.split('/');
    if (clientId === undefined) return { json: { clients: shown, single: true } };
    return { json: clients.find((each) => each.clientId === clientId) };
  };
  const options = { clock: systemClock, logger: silentLogger, metrics: noMetrics };
  return {
    directory: createOidcDirectory({ provider: 'main', directory: `${server.origin}/clients`, ...options }),
    shorten(list) {
      shown =
        list === 'clients'
          ? clients.slice(0, 1)
          : list === 'scopes'
            ? clients.map((each) => ({ ...each, scopes: [] }))
            : [];
    },
    restore() {
      shown = clients;
    },
    stop: () => server.close(),
  };
}

let opened: Shortened | undefined;
afterEach(async () => {
  await opened?.directory.close();
  await opened?.stop();
});

const LISTS: readonly (readonly [string, () => Promise<Shortened>, readonly string[]])[] = [
  ['Keycloak', keycloak, ['/clients', '/users']],
  ['Okta', okta, ['/apps', '/authorizationServers', '/scopes', '/policies', '/rules']],
  ['Auth0', auth0, ['clients', 'client-grants', 'resource-servers']],
  [
    'Entra',
    entra,
    ['/v1.0/servicePrincipals', '/v1.0/applications', '/appRoleAssignedTo', '/oauth2PermissionGrants'],
  ],
  ['a document', document, ['clients', 'scopes', 'nothing']],
];

const ASKED_BY_ADAPTER: readonly string[] = [
  ...['/users', '/authorizationServers', '/scopes', '/policies', '/rules', 'resource-servers', 'nothing'],
  ...['/v1.0/applications', '/appRoleAssignedTo', '/oauth2PermissionGrants'],
];

/** The same directory with so many clients more that those of the list are few. */
function amongMany(directory: Directory): Directory {
  const others = Array.from({ length: 40 }, (_, at) => client(`other-${at}`, []));
  return {
    ...directory,
    async readAll(stop) {
      const snapshot = await directory.readAll(stop);
      return { ...snapshot, clients: [...others, ...snapshot.clients] };
    },
  };
}

const byId = (clients: readonly OAuthClient[]) =>
  clients.toSorted((a, b) => compareText(a.clientId, b.clientId));

describe.each(LISTS)('A list of %s that lacks what still exists', (_, start, lists) => {
  it.each(lists)(
    'makes the read incomplete, or is not believed about the few that it lacks: %s',
    async (list) => {
      opened = await start();
      const directory = withConfirmedLosses(opened.directory, UNSEEN);
      const ofMany = withConfirmedLosses(amongMany(opened.directory), UNSEEN);
      const whole = await directory.readAll(signal);
      const wholeOfMany = await ofMany.readAll(signal);
      opened.shorten(list);
      await expect(directory.readAll(signal)).rejects.toMatchObject({ code: 'ERR_DIRECTORY_INCOMPLETE' });
      // Some adapters ask for what a list lacks themselves, however few.
      const few = await ofMany.readAll(signal).catch((error: unknown) => error);
      if (few instanceof IncompleteRead) expect(ASKED_BY_ADAPTER).toContain(list);
      else expect(few).toMatchObject({ clients: expect.anything(), unreadable: [] });
      if (!(few instanceof Error))
        expect(byId((few as typeof whole).clients)).toEqual(byId(wholeOfMany.clients));
      opened.restore();
      expect((await directory.readAll(signal)).clients).toEqual(whole.clients);
    },
  );
});

it('A list of Entra that lacks the assignment of one client is not believed about that client', async () => {
  const tenant = await startEntra();
  tenant.addApi('orders', ['orders.read']);
  for (const name of NAMES) {
    tenant.addClient(name);
    tenant.assignRole(name, 'orders', 'orders.read');
  }
  const { directory: inner } = partsOf(tenant, ['orders']);
  opened = { directory: inner, shorten() {}, restore() {}, stop: () => tenant.close() };
  const directory = withConfirmedLosses(inner, UNSEEN);
  const whole = await directory.readAll(signal);
  let shortened = 0;
  tenant.fault = (url) => {
    if (!url.pathname.endsWith('/appRoleAssignedTo')) return undefined;
    shortened++;
    const all = [...tenant.tenant.current.appRoleAssignments.values()];
    return {
      status: 200,
      json: { value: all.filter(({ principalId }) => principalId !== principalOf('first')) },
    };
  };
  expect(byId((await directory.readAll(signal)).clients)).toEqual(byId(whole.clients));
  expect(shortened).toBeGreaterThan(0);
});

describe('When most clients lose something', () => {
  it('the complete read counts if the clients that are read alone have lost it too', async () => {
    const server = await startDirectoryServer();
    let scopes = ['orders:read'];
    let isEnabled = true;
    const clients = () => NAMES.map((clientId) => ({ clientId, scopes, enabled: isEnabled }));
    server.answer = (path) => {
      const [, , clientId] = path.split('/');
      const all = clients();
      if (clientId === undefined) return { json: { clients: all, single: true } };
      return { json: all.find((each) => each.clientId === clientId) };
    };
    const options = { clock: systemClock, logger: silentLogger, metrics: noMetrics };
    const inner = createOidcDirectory({
      provider: 'main',
      directory: `${server.origin}/clients`,
      ...options,
    });
    const directory = withConfirmedLosses(inner, UNSEEN);
    await directory.readAll(signal);
    scopes = [];
    expect((await directory.readAll(signal)).clients.every(({ grants }) => grants.length === 0)).toBe(true);
    isEnabled = false;
    expect((await directory.readAll(signal)).clients.some(({ enabled }) => enabled)).toBe(false);
    await directory.close();
    await server.close();
  });
});
