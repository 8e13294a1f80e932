import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Decision } from '../../../src/model/decision.js';
import { connectKeycloak, type KeycloakOfRun } from '../../stack/connect-keycloak.js';
import { createRig, type Rig } from '../../support/daemon.js';
import { isClosed, isOpen, READ } from '../../support/orders-rig.js';

const REALM = 'roles';
const SECRET = 'webhook-secret-0123456789';
const RULE = { to: 'orders', methods: ['GET', 'HEAD'], path: '/v1/orders' };

let server: KeycloakOfRun;
let rig: Rig | undefined;

beforeAll(async () => {
  server = await connectKeycloak();
});
afterEach(() => rig?.close());

const idOf = (value: unknown): string => String(Reflect.get(Object(value), 'id'));

describe('a role of a client, as a scope of its API', () => {
  it('opens what its rule says and no equal name does; every loss closes that, explicitly and not inferred', async () => {
    const { admin } = server;
    const post = (path: string, body: unknown) => admin.request('POST', `/${REALM}/${path}`, body);
    await admin.createRealm(REALM);
    const api = await admin.createClient(REALM, 'orders-api');
    const other = await admin.createClient(REALM, 'billing-api');
    for (const owner of [api, other]) await post(`clients/${owner}/roles`, { name: 'orders:read' });
    const reader = await admin.createReader(REALM);
    const web = await admin.createClient(REALM, 'web-app', { attributes: { 'consul-services': 'web' } });
    const account = idOf(await admin.request('GET', `/${REALM}/clients/${web}/service-account-user`));
    // The same name everywhere but at the API that the rule names.
    await admin.createClientScope(REALM, 'orders:read');
    await admin.addScope(REALM, 'web-app', 'orders:read');
    await admin.createRealmRole(REALM, 'orders:read');
    await admin.grantRealmRole(REALM, 'web-app', 'orders:read');
    await admin.grantClientRoles(REALM, 'web-app', 'billing-api', ['orders:read']);

    rig = await createRig({
      provider: {
        kind: 'keycloak',
        issuer: `${server.address}/realms/${REALM}`,
        ...reader,
        directory: undefined,
        directoryToken: undefined,
        webhook: { secrets: [SECRET] },
        serviceAccountRoles: 'on',
        apis: ['orders-api'],
      },
      file: {
        scopes: { 'orders:read': { ...RULE, api: 'orders-api' } },
        guards: { maxRevocations: { percent: 0, atLeast: 0 } },
      },
      prepare: async ({ mesh }) => {
        await mesh.speaks('orders', 'http');
        await mesh.register('orders');
        await mesh.register('web', { client: 'web-app' });
      },
    });
    const daemon = await rig.start();
    await daemon.idle();
    await isClosed(rig);
    await admin.registerWebhook(REALM, { url: `${daemon.address}/events/main`, secret: SECRET });

    const role = await admin.request('GET', `/${REALM}/clients/${api}/roles/orders:read`);
    const ofClient = `/${REALM}/users/${account}/role-mappings/clients/${api}`;
    await admin.createRealmRole(REALM, 'bundle');
    await post('groups', { name: 'callers' });
    const group = idOf(await admin.request('GET', `/${REALM}/group-by-path/callers`));
    const ofGroup = `/${REALM}/groups/${group}/role-mappings/clients/${api}`;
    await admin.grantRealmRole(REALM, 'web-app', 'bundle');
    await admin.request('PUT', `/${REALM}/users/${account}/groups/${group}`);
    for (const way of [ofClient, `/${REALM}/roles/bundle/composites`, ofGroup]) {
      await admin.request('POST', way, [role]);
      await isOpen(rig, READ);
      await admin.request('DELETE', way, [role]);
      await isClosed(rig);
    }
    await admin.request('POST', ofGroup, [role]);
    await isOpen(rig, READ);
    await admin.request('PUT', `/${REALM}/users/${account}`, { enabled: false });
    await isClosed(rig);
    await admin.request('PUT', `/${REALM}/users/${account}`, { enabled: true });
    await isOpen(rig, READ);
    await admin.deleteClient(REALM, 'orders-api');
    await isClosed(rig);
    await daemon.idle();
    const decisions = await rig.decisions();
    // The limit is zero, so none that was only inferred is carried out. A comparison for an earlier event may see the
    // loss before its own event is here: that is held until it comes.
    const isEnd = ({ reason }: Decision) => reason === 'HoldEnded';
    expect(decisions.filter(isEnd)).toHaveLength(
      decisions.filter(({ outcome }) => outcome === 'held').length,
    );
    const revoked = decisions.filter(({ reason }) => reason === 'ScopeRevoked');
    expect(revoked).toHaveLength(5);
    expect(new Set(revoked.map(({ principal }) => principal?.id))).toEqual(new Set(['admin']));
  });
});
