import { afterEach, describe, expect, it } from 'vitest';
import { clientOf, type Rig } from '../../support/daemon.js';
import { EDGE, isOpen, ordersRig, READ } from '../../support/orders-rig.js';
import { until } from '../../support/until.js';

let rig: Rig;
afterEach(() => rig.close());

const sweeps = async () => (await rig.decisions()).filter(({ reason }) => reason === 'SweepCompleted').length;
const others = async () => (await rig.decisions()).filter(({ reason }) => reason !== 'SweepCompleted');

describe('nothing to do', () => {
  it('costs no write and no decision but the summary of each sweep', async () => {
    rig = await ordersRig({ file: { resync: '1s' } });
    const daemon = await rig.start();
    await isOpen(rig, READ);
    await daemon.idle();
    const [writes, reported] = [rig.proxy.writes.length, (await others()).length];
    expect(writes).toBe(1);
    for (let round = 0; round < 3; round++) {
      const before = await sweeps();
      rig.clock.advance(2_000);
      await until('another sweep', async () => (await sweeps()) > before);
      await daemon.tell('client.updated', 'web-app');
      await rig.mesh.register('web', { client: 'web-app', tags: [`round-${round}`] });
      await daemon.idle();
    }
    expect(rig.proxy.writes).toHaveLength(writes);
    expect(await others()).toHaveLength(reported);
  });

  it('follows from a restart that finds everything unchanged', async () => {
    rig = await ordersRig();
    const first = await rig.start();
    await isOpen(rig, READ);
    await first.idle();
    await first.stop();
    const reported = (await others()).length;
    const second = await rig.start();
    await until('the directory', async () => (await second.status()).directories[0]?.clients === 2);
    await until('a sweep', async () => (await sweeps()) > 1);
    await second.idle();
    expect(rig.proxy.writes).toHaveLength(1);
    expect(await others()).toHaveLength(reported);
  });
});

describe('a hold', () => {
  const held = async () => (await others()).filter(({ outcome }) => outcome === 'held');

  it('is reported once when it begins and once when it ends, also over sweeps and restarts', async () => {
    rig = await ordersRig({ file: { resync: '1s' } });
    await rig.mesh.speaks('orders', 'tcp');
    const first = await rig.start();
    await rig.decided({ subject: EDGE, reason: 'ProtocolUnsuitable', outcome: 'held' });
    const before = await sweeps();
    rig.clock.advance(2_000);
    await until('another sweep', async () => (await sweeps()) > before);
    await first.tell('client.updated', 'web-app');
    await first.idle();
    await first.stop();
    const second = await rig.start();
    await second.tell('client.updated', 'web-app');
    await second.idle();
    expect(await held()).toHaveLength(1);
    const { holds } = await second.status();
    expect(holds.map(({ reason }) => reason)).toEqual(['ProtocolUnsuitable']);
    expect(holds[0]).not.toHaveProperty('fingerprint');
    expect(await second.metric('scopemesh_holds{reason="ProtocolUnsuitable"}')).toBe(1);
    await rig.mesh.speaks('orders', 'http');
    await isOpen(rig, READ);
    await second.idle();
    expect((await others()).filter(({ reason }) => reason === 'HoldEnded')).toHaveLength(1);
    expect((await second.status()).holds).toEqual([]);
  });

  it('ends although its subject vanished while scopemesh was down', async () => {
    rig = await ordersRig();
    await rig.mesh.speaks('orders', 'tcp');
    await rig.mesh.register('rogue', { client: 'web-app' });
    const first = await rig.start();
    await rig.decided({ subject: EDGE, reason: 'ProtocolUnsuitable' });
    await rig.decided({ subject: 'claim/main/web-app/rogue', reason: 'ClaimUnconfirmed' });
    await first.idle();
    await first.stop();
    rig.idp.clients.set('web-app', clientOf('web'));
    await rig.mesh.deregister('rogue');
    const second = await rig.start();
    await until('no hold', async () => (await second.status()).holds.length === 0);
    await rig.decided({ subject: EDGE, reason: 'HoldEnded' });
    await rig.decided({ subject: 'claim/main/web-app/rogue', reason: 'HoldEnded' });
  });
});
