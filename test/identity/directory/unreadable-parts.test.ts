import { afterEach, expect, it } from 'vitest';
import { withConfirmedLosses } from '../../../src/identity/confirmed-losses.js';
import type { Directory } from '../../../src/identity/directory.js';
import { noMetrics, silentLogger } from '../../../src/observe.js';
import { API, startAuth0 } from '../../support/auth0/auth0.js';
import { principalOf, startEntra } from '../../support/entra/entra.js';
import { partsOf } from '../../support/entra/parts.js';
import { guidOf } from '../../support/entra/tenant.js';
import { startOktaWorld } from '../../support/okta/world.js';
import { openAuth0 } from '../auth0/open.js';
import { startDirectoryRig } from '../keycloak/directory-rig.js';
import { json } from '../keycloak/fake-keycloak.js';

const signal = new AbortController().signal;

/** A provider with two clients, of which one holds what is spoilt. */
interface World {
  readonly directory: Directory;
  readonly holder: string;
  readonly other: string;
  readonly spoil: Readonly<Record<string, () => void>>;
  /** Takes the name of its client from a grant of the holder. */
  readonly unown?: () => void;
  stop(): Promise<void>;
}

async function okta(): Promise<World> {
  const world = await startOktaWorld();
  const holder = world.addClient({ label: 'holder' }, ['orders:read']);
  const other = world.addClient({ label: 'other' }, ['orders:write']);
  world.server.isSuperAdmin = true;
  const { reader } = world.server;
  world.server.org.changeApp(reader.id, { orgScopes: [...reader.orgScopes, 'okta.aiAgents.read'] });
  const agent = world.server.org.addAgent({ appId: holder.id });
  const [policy] = world.mesh.policies;
  const scope = world.mesh.scopes.find(({ name }) => name === 'orders:read');
  return {
    directory: world.open({ aiAgents: true }).directory,
    holder: holder.id,
    other: other.id,
    spoil: {
      scope: () => Object.assign(scope ?? {}, { consent: 7 }),
      rule: () => Object.assign(policy?.rules[0] ?? {}, { lifetimeMinutes: -1 }),
      agent: () => Object.assign(agent, { status: 7 }),
    },
    stop: () => world.stop(),
  };
}

async function entra(): Promise<World> {
  const tenant = await startEntra();
  tenant.addApi('orders', ['orders.read', 'orders.write'], ['orders.browse', 'orders.list']);
  tenant.addClient('holder');
  tenant.addClient('other');
  tenant.assignRole('holder', 'orders', 'orders.read');
  tenant.assignRole('other', 'orders', 'orders.write');
  tenant.consent('holder', 'orders', 'orders.browse');
  tenant.consent('other', 'orders', 'orders.list');
  const spoilFirst = (list: 'appRoles' | 'oauth2PermissionScopes') => () => {
    const api = [...tenant.tenant.current.servicePrincipals.values()].find(
      ({ appId }) => appId === guidOf('orders'),
    );
    const [first, ...rest] = Object(api)[list];
    tenant.changePrincipal('orders', { [list]: [{ ...first, isEnabled: 'yes' }, ...rest] });
  };
  return {
    directory: partsOf(tenant, ['orders']).directory,
    holder: guidOf('holder'),
    other: guidOf('other'),
    unown: () => {
      const [grant] = [...tenant.tenant.current.appRoleAssignments.values()].filter(
        ({ principalId }) => principalId === principalOf('holder'),
      );
      if (grant !== undefined) tenant.tenant.put('appRoleAssignments', { ...grant, principalId: undefined });
    },
    spoil: { 'app role': spoilFirst('appRoles'), 'delegated scope': spoilFirst('oauth2PermissionScopes') },
    stop: () => tenant.close(),
  };
}

async function keycloak(): Promise<World> {
  const rig = await startDirectoryRig();
  rig.keycloak.add('holder', { defaultClientScopes: ['profile', 'orders'] });
  const account = rig.keycloak.account('holder');
  return {
    directory: rig.open({ serviceAccountRoles: true }),
    holder: 'holder',
    other: 'svc-1',
    spoil: {
      'client scope': () => {
        rig.onPath('/client-scopes', (url, response) => {
          if (!url.pathname.endsWith('/client-scopes')) return false;
          const shown = rig.keycloak.scopes.map(({ id, name }) =>
            name === 'orders' ? { id } : { id, name },
          );
          json(response, 200, shown);
          return true;
        });
      },
      'service account': () => Object.assign(account, { enabled: 'yes' }),
    },
    stop: () => rig.stop(),
  };
}

async function auth0(): Promise<World> {
  const tenant = await startAuth0();
  tenant.addApi(API, ['read:orders']);
  tenant.addApi('https://another.example.com', ['read:more']);
  tenant.addClient('holder');
  tenant.addClient('other');
  tenant.grant('holder', ['read:orders']);
  tenant.grant('other', ['read:more'], 'https://another.example.com');
  return {
    directory: openAuth0(tenant, { apis: [API, 'https://another.example.com'] }).directory,
    holder: 'holder',
    other: 'other',
    unown: () => {
      tenant.grant('holder', []);
      tenant.grant(7 as unknown as string, ['read:orders']);
    },
    spoil: {
      API: () => tenant.changeApi(API, [7 as unknown as string]),
      grant: () => tenant.grant('holder', [7 as unknown as string]),
    },
    stop: () => tenant.close(),
  };
}

const WORLDS: readonly (readonly [string, string, () => Promise<World>])[] = [
  ['Okta', 'scope', okta],
  ['Okta', 'rule', okta],
  ['Okta', 'agent', okta],
  ['Entra', 'app role', entra],
  ['Entra', 'delegated scope', entra],
  ['Keycloak', 'client scope', keycloak],
  ['Keycloak', 'service account', keycloak],
  ['Auth0', 'API', auth0],
  ['Auth0', 'grant', auth0],
];

let world: World | undefined;
afterEach(async () => {
  await world?.directory.close();
  await world?.stop();
});

it.each(WORLDS)(
  '%s: one bad record of kind %s leaves only the client that holds it unknown',
  async (_, kind, start) => {
    world = await start();
    const { directory, holder, other, spoil } = world;
    const whole = await directory.readAll(signal);
    expect(whole.unreadable).toEqual([]);
    spoil[kind]?.();
    const { clients, unreadable } = await directory.readAll(signal);
    expect(unreadable).toEqual([{ clientId: holder, why: expect.any(String) }]);
    expect(clients).toEqual(whole.clients.filter(({ clientId }) => clientId !== holder));
    await expect(directory.read('clientId', holder, signal)).rejects.toMatchObject({
      code: 'ERR_CLIENT_UNREADABLE',
    });
    expect((await directory.read('clientId', other, signal))?.clientId).toBe(other);
  },
);

it.each([
  ['Entra', entra],
  ['Auth0', auth0],
] as const)(
  '%s: a grant that names no client leaves only the client unknown that lacks it',
  async (_, start) => {
    world = await start();
    const { directory: inner, holder, unown } = world;
    const directory = withConfirmedLosses(inner, { logger: silentLogger, metrics: noMetrics });
    const whole = await directory.readAll(signal);
    unown?.();
    for (let read = 0; read < 2; read++) {
      const { clients, unreadable } = await directory.readAll(signal);
      expect(unreadable).toEqual([
        { clientId: holder, why: expect.stringContaining('does not name its client') },
      ]);
      expect(clients).toEqual(whole.clients.filter(({ clientId }) => clientId !== holder));
    }
    // After a start nothing shows which client lacks it: no client is known, and none is taken for gone.
    const first = await withConfirmedLosses(inner, { logger: silentLogger, metrics: noMetrics }).readAll(
      signal,
    );
    expect(first.clients).toEqual([]);
    expect(first.unreadable.map(({ clientId }) => clientId)).toEqual(
      whole.clients.map(({ clientId }) => clientId),
    );
  },
);
