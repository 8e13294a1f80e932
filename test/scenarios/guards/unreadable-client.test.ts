import { afterEach, describe, expect, it } from 'vitest';
import { clientOf, type Daemon, type Rig } from '../../support/daemon.js';
import type { IdpClient } from '../../support/idp.js';
import { BOTH, isClosed, isOpen, ordersRig, READ } from '../../support/orders-rig.js';
import { until } from '../../support/until.js';

let rig: Rig;
let daemon: Daemon;
afterEach(() => rig.close());

const REASON = { reason: 'ClientUnreadable' } as const;
const api = clientOf('api', 'orders:read');
const spoil = (how: Partial<Record<keyof IdpClient, unknown>>) => {
  const known = rig.idp.clients.get('web-app');
  // What no valid document could say.
  rig.idp.clients.set('web-app', { ...known, ...how } as IdpClient);
};

async function start(options: { readonly single?: boolean } = {}) {
  rig = await ordersRig({
    ...options,
    clients: [clientOf('web', 'orders:read'), api, clientOf('other')],
    file: { guards: { maxRevocations: { percent: 100, atLeast: 10 } } },
    prepare: (each) => each.mesh.register('api', { client: 'api-app' }),
  });
  daemon = await rig.start();
  await isOpen(rig, READ);
  await isOpen(rig, READ, 'api');
  await daemon.idle();
}

/** The complete read that comes after an hour. */
async function readCompletely() {
  const before = rig.logs.filter((line) => line.includes('directory read completely')).length;
  await until('a complete read', () => {
    rig.clock.advance(600_000);
    return rig.logs.filter((line) => line.includes('directory read completely')).length > before;
  });
  await daemon.idle();
}

const unreadable = () => daemon.metric('scopemesh_directory_unreadable_clients{provider="main"}');
const reported = async () =>
  (await rig.decisions()).filter(({ subject }) => subject === 'client/main/web-app');

describe('one client that cannot be parsed', () => {
  it.each<[string, Partial<Record<keyof IdpClient, unknown>>]>([
    ['with a scope that has a space', { scopes: ['orders:read', 'orders:write x'] }],
    ['with an attribute of 17,000 characters', { attributes: { note: 'x'.repeat(17_000) } }],
    ['without scopes', { scopes: undefined }],
    ['with a field of another type', { enabled: 'no' }],
    ['without an id', { clientId: 7 }],
  ])('%s keeps its edge, and no other waits for it', async (_, how) => {
    await start({ single: false });
    spoil(how);
    rig.idp.put('api-app');
    await readCompletely();
    await isClosed(rig, 'api');
    expect(await rig.decided({ ...REASON, outcome: 'held' })).toMatchObject({
      type: 'dev.scopemesh.client.held',
      resource: { kind: 'client' },
    });
    expect((await rig.mesh.access('orders'))?.web).toBe(READ);
    expect(await unreadable()).toBeGreaterThan(0);

    // Others open too, and what is known survives a restart, which forgets all clients.
    rig.idp.put('api-app', 'orders:read');
    await daemon.stop();
    daemon = await rig.start();
    await isOpen(rig, READ, 'api');
    await daemon.idle();
    expect((await rig.mesh.access('orders'))?.web).toBe(READ);
  });

  it('is reported once when it begins and once when it ends, and gains access afterwards', async () => {
    await start();
    spoil({ scopes: ['orders:read', 'orders:write', 'a b'] });
    await readCompletely();
    await daemon.tell('client.updated', 'web-app');
    await daemon.idle();
    await readCompletely();
    expect((await rig.mesh.access('orders'))?.web).toBe(READ);
    expect(await reported()).toMatchObject([{ ...REASON, outcome: 'held', client: { clientId: 'web-app' } }]);
    expect(rig.logs.filter((line) => line.includes('a change is held'))).toHaveLength(1);

    rig.idp.put('web-app', 'orders:read', 'orders:write');
    await daemon.tell('client.updated', 'web-app');
    await isOpen(rig, BOTH);
    await daemon.idle();
    expect((await reported()).map(({ type }) => type)).toEqual([
      'dev.scopemesh.client.held',
      'dev.scopemesh.client.released',
    ]);
    expect(await unreadable()).toBe(0);
  });

  it('is also reported when its own event comes, and the job of the event is done', async () => {
    await start();
    spoil({ scopes: ['a b'] });
    await daemon.tell('client.updated', 'web-app');
    await rig.decided({ ...REASON, outcome: 'held' });
    await daemon.idle();
    expect((await daemon.status()).parked).toEqual([]);
    expect((await rig.mesh.access('orders'))?.web).toBe(READ);
    rig.idp.put('web-app');
    await readCompletely();
    await isClosed(rig);
    expect((await reported()).at(-1)).toMatchObject({ reason: 'HoldEnded' });
  });

  it('gains no access through a change of the mapping', async () => {
    await start();
    spoil({ scopes: ['a b'] });
    await readCompletely();
    rig.writeFile({
      scopes: { 'orders:read': { to: 'orders', methods: ['GET', 'HEAD', 'PUT'], path: '/v1/orders' } },
    });
    daemon.reload();
    await until('the change at another client', async () =>
      (await rig.mesh.access('orders'))?.api?.includes('PUT'),
    );
    await daemon.idle();
    expect((await rig.mesh.access('orders'))?.web).toBe(READ);
  });

  it.each([true, false])('is closed by an order all the same (read alone: %s)', async (single) => {
    await start({ single });
    spoil({ scopes: ['a b'] });
    await readCompletely();
    await daemon.tell('client.disabled', 'web-app');
    await until('an order that has waited', async () => {
      rig.clock.advance(2_000);
      return (await rig.mesh.access('orders'))?.web === undefined;
    });
    expect(await rig.decided({ action: 'revoke', outcome: 'applied' })).toMatchObject({
      reason: 'RevocationUnconfirmed',
    });
    expect((await rig.mesh.access('orders'))?.api).toBe(READ);
  });

  it('is closed at once when its secret is compromised', async () => {
    await start();
    spoil({ scopes: ['a b'] });
    await readCompletely();
    await daemon.tell('client.secret-compromised', 'web-app');
    await isClosed(rig);
    await daemon.idle();
    await readCompletely();
    await isClosed(rig);
  });
});
