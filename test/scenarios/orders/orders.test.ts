import { afterEach, describe, expect, it } from 'vitest';
import { clientOf, type Daemon, type DaemonOptions, type Rig } from '../../support/daemon.js';
import { EDGE, isClosed, isOpen, ordersRig, READ } from '../../support/orders-rig.js';
import { until } from '../../support/until.js';

let rig: Rig;
let daemon: Daemon;
afterEach(() => rig.close());

async function running(options: DaemonOptions = {}): Promise<void> {
  rig = await ordersRig(options);
  daemon = await rig.start();
  await isOpen(rig, READ);
  await daemon.idle();
}

const asked = () => until('the directory to be asked', async () => (await failures()) > 0);
const failures = async () => {
  const { text } = await daemon.get('/metrics');
  return [...text.matchAll(/^scopemesh_directory_failures_total\{.*\} (\d+)$/gm)].reduce(
    (sum, [, count]) => sum + Number(count),
    0,
  );
};

describe('an order to disable a client whose directory cannot be read', () => {
  it.each([
    ['answers 500', { status: 500 }],
    ['answers 401', { status: 401 }],
    ['answers half', { json: { clients: [] } }],
  ])(
    'closes it after the directory that %s has failed for 5 s, and a complete read opens it again',
    async (_, answer) => {
      await running();
      rig.idp.fault = () => answer;
      await daemon.tell('client.disabled', 'web-app');
      await asked();
      expect((await rig.mesh.access('orders'))?.web).toBe(READ);
      rig.clock.advance(4_000);
      await until('another attempt', async () => (await failures()) > 1);
      expect((await rig.mesh.access('orders'))?.web).toBe(READ);
      rig.clock.advance(1_500);
      await isClosed(rig);
      const closed = await rig.decided({ reason: 'RevocationUnconfirmed', outcome: 'applied' });
      expect(closed).toMatchObject({ subject: EDGE, action: 'revoke', scopes: ['orders:read'] });
      rig.idp.fault = undefined;
      rig.clock.advance(1_500);
      await isOpen(rig, READ);
      await daemon.idle();
    },
  );

  it.each([
    ['disabled', () => rig.idp.change('web-app', { enabled: false })],
    ['deleted', () => rig.idp.clients.delete('web-app')],
  ])(
    'closes it before the first complete read too, if the read of the client says %s',
    async (what, change) => {
      await running();
      await daemon.stop();
      rig.idp.fault = (path) => (path === '/directory' ? { status: 500 } : undefined);
      daemon = await rig.start();
      await asked();
      change();
      await daemon.tell(`client.${what}`, 'web-app');
      await until('the client to be asked for', async () => {
        rig.clock.advance(1_000);
        return (await rig.mesh.access('orders'))?.web === undefined;
      });
      await rig.decided({ reason: 'RevocationUnconfirmed', outcome: 'applied' });
      rig.idp.fault = undefined;
      await until('a complete read', async () => {
        rig.clock.advance(60_000);
        return (await daemon.status()).directories[0]?.clients === rig.idp.clients.size;
      });
      await daemon.idle();
      expect((await rig.mesh.access('orders'))?.web).toBeUndefined();
    },
  );

  it('closes no more clients than the mass guard allows, and says so', async () => {
    const names = ['a', 'b', 'c', 'd'].map((letter) => `svc-${letter}`);
    await running({
      file: { guards: { maxRevocations: { percent: 1, atLeast: 2 } } },
      clients: [
        clientOf('web', 'orders:read'),
        clientOf('other'),
        ...names.map((name) => clientOf(name, 'orders:read')),
      ],
      prepare: async ({ mesh }) => {
        for (const name of names) await mesh.register(name, { client: `${name}-app` });
      },
    });
    for (const name of names) await isOpen(rig, READ, name);
    await daemon.idle();
    rig.idp.fault = () => ({ status: 503 });
    for (const name of names) await daemon.tell('client.disabled', `${name}-app`);
    await asked();
    rig.clock.advance(6_000);
    await until('two closed', async () => Object.keys((await rig.mesh.access('orders')) ?? {}).length === 3);
    await until('the waiting to be said', () =>
      rig.logs.some((line) => line.includes('an ordered revocation waits')),
    );
    rig.clock.advance(1_500);
    await until('another round', async () => (await failures()) > 8);
    expect(Object.keys((await rig.mesh.access('orders')) ?? {})).toHaveLength(3);
    const said = rig.logs.filter((line) => line.includes('an ordered revocation waits'));
    expect(said).toHaveLength(2);
  });
});

describe('an order about a compromised secret', () => {
  it('quarantines the client at once, also over a restart, until it has a newer secret', async () => {
    await running();
    rig.idp.fault = () => ({ status: 500 });
    await daemon.tell('client.secret-compromised', 'web-app');
    await isClosed(rig);
    await rig.decided({ reason: 'ClientQuarantined', outcome: 'applied', subject: EDGE });
    rig.idp.fault = undefined;
    await daemon.stop();
    daemon = await rig.start();
    await daemon.tell('client.updated', 'web-app');
    await daemon.idle();
    expect((await rig.mesh.access('orders'))?.web).toBeUndefined();
    rig.idp.change('web-app', { secretCreatedAt: new Date(rig.clock.now() + 1_000).toISOString() });
    rig.clock.advance(2_000);
    await daemon.tell('client.updated', 'web-app');
    await isOpen(rig, READ);
    await daemon.idle();
  });

  it('is not ended by a rotation between two reports', async () => {
    await running();
    const instant = (ms: number) => new Date(rig.clock.now() + ms).toISOString();
    const report = (timestamp: string) =>
      daemon.send({ type: 'client.secret-compromised', data: { clientId: 'web-app' }, timestamp });
    await report(instant(-60_000));
    await isClosed(rig);
    await report(instant(-20_000));
    await daemon.idle();
    rig.idp.change('web-app', { secretCreatedAt: instant(-40_000) });
    await daemon.tell('client.updated', 'web-app');
    await daemon.idle();
    expect((await rig.mesh.access('orders'))?.web).toBeUndefined();
  });

  it('quarantines each of several clients that are reported at once, also after a restart', async () => {
    await running();
    await Promise.all(
      ['web-app', 'other-app'].map((clientId) => daemon.tell('client.secret-compromised', clientId)),
    );
    await isClosed(rig);
    await daemon.idle();
    await daemon.stop();
    daemon = await rig.start();
    rig.idp.clients.set('other-app', clientOf('other', 'orders:read'));
    await daemon.tell('client.updated', 'other-app');
    await daemon.tell('client.updated', 'web-app');
    await daemon.idle();
    expect(await rig.mesh.access('orders')).toBeUndefined();
  });
});
