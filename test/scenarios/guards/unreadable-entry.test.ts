import { afterEach, describe, expect, it } from 'vitest';
import { clientOf, type Daemon, type Rig } from '../../support/daemon.js';
import { isClosed, isOpen, ordersRig, READ } from '../../support/orders-rig.js';
import { until } from '../../support/until.js';

let rig: Rig;
let daemon: Daemon;
afterEach(() => rig.close());

const shop = { 'shop:connect': { to: 'shop' } };

async function start() {
  rig = await ordersRig({
    clients: [clientOf('web', 'orders:read', 'shop:connect'), clientOf('api', 'orders:read', 'shop:connect')],
    file: {
      scopes: { 'orders:read': { to: 'orders', methods: ['GET', 'HEAD'], path: '/v1/orders' }, ...shop },
    },
    prepare: async ({ mesh }) => {
      await mesh.register('shop');
      await mesh.register('api', { client: 'api-app' });
    },
  });
  daemon = await rig.start();
  for (const source of ['web', 'api']) await isOpen(rig, READ, source);
  await until('an open shop', async () => (await rig.mesh.access('shop'))?.api);
  await daemon.idle();
}

/** The owner of `orders` adds sources to its entry until it has 9 MB. */
async function inflate() {
  const { Sources: sources = [] } = (await rig.mesh.entry('orders')) ?? {};
  const foreign = Array.from({ length: 18_000 }, (_, at) => ({
    Name: `foreign-${at}`,
    Action: 'allow',
    Description: 'x'.repeat(420),
  }));
  await rig.mesh.write('orders', [...sources, ...foreign]);
}

const sourcesOf = async (destination: string) => Object.keys((await rig.mesh.access(destination)) ?? {});
const unreadable = async () =>
  (await daemon.metric('scopemesh_consul_unreadable_entries{kind="service-intentions"}')) ?? 0;

describe('an entry of 9 MB that the owner of one service writes', () => {
  it('keeps what it has and is reported, while others lose and gain access, drift is corrected, and a restart goes on', async () => {
    await start();
    await inflate();
    await until('an unreadable entry', async () => (await unreadable()) === 1);

    // `api` loses its scopes: at `shop` at once, at `orders` not.
    rig.idp.put('api-app');
    await daemon.tell('client.updated', 'api-app');
    await until('a closed shop', async () => !(await sourcesOf('shop')).includes('api'));
    const held = await rig.decided({ reason: 'EntryUnreadable', outcome: 'held' });
    expect(held).toMatchObject({
      resource: { kind: 'intention', source: 'api', destination: 'orders' },
      action: 'revoke',
      detail: expect.stringContaining('consul config read -kind service-intentions -name orders'),
    });
    await daemon.idle();
    expect(await sourcesOf('orders')).toContain('api');

    // Drift elsewhere is corrected, and a restart waits for nothing.
    await daemon.stop();
    await rig.mesh.remove('shop');
    rig.idp.put('api-app', 'shop:connect');
    daemon = await rig.start();
    await until('an open shop', async () => (await sourcesOf('shop')).length === 2);
    await daemon.idle();
    const { unreadableEntries, holds } = await daemon.status();
    expect(unreadableEntries).toMatchObject([{ kind: 'service-intentions', name: 'orders' }]);
    expect(holds.filter(({ reason }) => reason === 'EntryUnreadable').map(({ subject }) => subject)).toEqual([
      'intention/default/default/orders/api',
      'intention/default/default/orders/web',
    ]);
    expect(await sourcesOf('orders')).toHaveLength(18_002);

    // The owner removes what they added.
    const { Sources: sources = [] } = (await rig.mesh.entry('orders')) ?? {};
    await rig.mesh.write(
      'orders',
      sources.filter(({ Name }) => !String(Name).startsWith('foreign')),
    );
    await isClosed(rig, 'api');
    await until('a readable entry', async () => (await unreadable()) === 0);
    await daemon.idle();
    expect(await sourcesOf('orders')).toEqual(['web']);
    expect((await rig.decisions()).filter(({ reason }) => reason === 'MarkLost')).toEqual([]);
  });
});

describe('a service that somebody else registers in another case', () => {
  it('leaves the claim of the first as it is, and the access ends when its owner removes the claim', async () => {
    await start();
    await rig.mesh.register('WEB', { client: 'evil' });
    await until('a catalog', async () => rig.proxy.requests.some((each) => each.includes('/service/WEB')));
    await daemon.idle();
    expect((await daemon.status()).holdCounts.ClaimAmbiguous ?? 0).toBe(0);
    await rig.mesh.register('web');
    await isClosed(rig, 'web');
  });
});
