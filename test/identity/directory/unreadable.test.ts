import { afterEach, describe, expect, it } from 'vitest';
import { ClientUnreadable } from '../../../src/errors.js';
import type { Directory } from '../../../src/identity/directory.js';
import { API, startAuth0 } from '../../support/auth0/auth0.js';
import { startEntra } from '../../support/entra/entra.js';
import { partsOf } from '../../support/entra/parts.js';
import { guidOf } from '../../support/entra/tenant.js';
import { startOktaWorld } from '../../support/okta/world.js';
import { openAuth0 } from '../auth0/open.js';
import { startDirectoryRig } from '../keycloak/directory-rig.js';

const signal = new AbortController().signal;

interface Spoilable {
  readonly directory: Directory;
  /** The id of the client that is spoilt. */
  readonly clientId: string;
  spoil(fields: Readonly<Record<string, unknown>>): void;
  stop(): Promise<void>;
}

const NAMES = ['first', 'spoilt', 'zebra'];

async function auth0(): Promise<Spoilable> {
  const tenant = await startAuth0();
  tenant.addApi(API, ['read:orders'], 3600);
  for (const name of NAMES) {
    tenant.addClient(name);
    tenant.grant(name, ['read:orders']);
  }
  return {
    directory: openAuth0(tenant).directory,
    clientId: 'spoilt',
    spoil: (fields) => tenant.changeClient('spoilt', fields),
    stop: () => tenant.close(),
  };
}

async function entra(): Promise<Spoilable> {
  const tenant = await startEntra();
  tenant.addApi('orders', ['orders.read'], []);
  for (const name of NAMES) {
    tenant.addClient(name);
    tenant.assignRole(name, 'orders', 'orders.read');
  }
  return {
    directory: partsOf(tenant, ['orders']).directory,
    clientId: guidOf('spoilt'),
    spoil: (fields) => tenant.changePrincipal('spoilt', fields),
    stop: () => tenant.close(),
  };
}

async function okta(): Promise<Spoilable> {
  const world = await startOktaWorld();
  const [, app] = NAMES.map((label) => world.server.org.addApp({ label }));
  if (app === undefined) throw new Error('no app');
  return {
    directory: world.open().directory,
    clientId: app.id,
    spoil: (fields) => Object.assign(app, fields),
    stop: () => world.stop(),
  };
}

async function keycloak(): Promise<Spoilable> {
  const rig = await startDirectoryRig();
  const client = rig.keycloak.add('spoilt');
  return {
    directory: rig.directory,
    clientId: 'spoilt',
    spoil: (fields) => Object.assign(client, fields),
    stop: () => rig.stop(),
  };
}

let opened: Spoilable | undefined;
afterEach(async () => {
  await opened?.directory.close();
  await opened?.stop();
});

const BY_ADAPTER: readonly (readonly [
  string,
  () => Promise<Spoilable>,
  readonly Readonly<Record<string, unknown>>[],
])[] = [
  [
    'Auth0',
    auth0,
    [
      { grant_types: 'client_credentials' },
      { is_first_party: 'yes' },
      { client_metadata: 7 },
      { name: null },
    ],
  ],
  [
    'Entra',
    entra,
    [
      { accountEnabled: 'yes' },
      { tags: ['x'.repeat(17_000)] },
      { tags: 7 },
      { displayName: 'x'.repeat(2_000) },
    ],
  ],
  ['Okta', okta, [{ label: null }, { status: 7 }, { profile: 'none' }, { grantTypes: 'client_credentials' }]],
  [
    'Keycloak',
    keycloak,
    [
      { enabled: 'yes' },
      { attributes: [] },
      { defaultClientScopes: undefined },
      { optionalClientScopes: 'a b' },
    ],
  ],
];

describe.each(BY_ADAPTER)('one client of %s that cannot be parsed', (_, start, faults) => {
  it.each(faults)('is unknown, and all others are read as before: %o', async (fields) => {
    opened = await start();
    const { directory, clientId, spoil } = opened;
    const whole = await directory.readAll(signal);
    expect(whole.unreadable).toEqual([]);
    expect(whole.clients.map((each) => each.clientId)).toContain(clientId);
    spoil(fields);
    const { clients, unreadable } = await directory.readAll(signal);
    expect(clients).toEqual(whole.clients.filter((each) => each.clientId !== clientId));
    expect(unreadable).toEqual([{ clientId, why: expect.any(String) }]);

    const alone = directory.read('clientId', clientId, signal);
    await expect(alone).rejects.toBeInstanceOf(ClientUnreadable);
    await expect(alone).rejects.toMatchObject({ code: 'ERR_CLIENT_UNREADABLE', retriable: false, clientId });
    const [other] = clients;
    expect(await directory.read('clientId', other?.clientId ?? '', signal)).toEqual(other);
  });
});
