import { afterEach, describe, expect, it } from 'vitest';
import { clientOf, type Daemon, type DaemonOptions, type Rig } from '../../support/daemon.js';
import { BOTH, EDGE, isClosed, isOpen, ordersRig, READ } from '../../support/orders-rig.js';
import { until } from '../../support/until.js';

let rig: Rig;
let daemon: Daemon;
afterEach(() => rig.close());

async function running(options: DaemonOptions = {}): Promise<void> {
  rig = await ordersRig(options);
  daemon = await rig.start();
}

async function open(options: DaemonOptions = {}): Promise<void> {
  await running(options);
  await isOpen(rig, READ);
  await daemon.idle();
}

const FOREIGN = { Name: 'legacy', Action: 'allow', Description: 'made by hand' };
const MARK = 'scopemesh:payments client=main/web-app';
const reasons = async (subject = EDGE) =>
  (await rig.decisions())
    .filter((each) => each.subject === subject)
    .map(({ outcome, reason }) => `${outcome} ${reason}`);

describe('what somebody changes by hand', () => {
  it('is corrected as soon as the watch shows it, with the reason DriftCorrected', async () => {
    await open();
    await rig.mesh.remove('orders');
    await until('a correction', async () => (await reasons()).length === 2);
    await isOpen(rig, READ);
    await rig.mesh.write('orders', [FOREIGN, { Name: 'web', Action: 'allow', Description: MARK }]);
    await until('another', async () => (await reasons()).length === 3);
    await isOpen(rig, READ);
    expect(await reasons()).toEqual([
      'applied ScopeGranted',
      'applied DriftCorrected',
      'applied DriftCorrected',
    ]);
    expect((await rig.mesh.access('orders'))?.legacy).toBe('allow');
    await daemon.idle();
    expect(rig.proxy.writes).toHaveLength(3);
  });

  it('is corrected by a sweep if the watch misses it', async () => {
    await open({ file: { resync: '1s' } });
    rig.proxy.interfere = ({ target }) => (target.includes('index=') ? { status: 500 } : undefined);
    await rig.mesh.remove('orders');
    await until('a correction', async () => {
      rig.clock.advance(2_000);
      return (await reasons()).length === 2;
    });
    await isOpen(rig, READ);
  });

  it('again and again makes scopemesh stop, report it as contended, and try once more later', async () => {
    await open({ file: { resync: '1s' } });
    for (let round = 1; round <= 5; round++) {
      await rig.mesh.remove('orders');
      await until(`correction ${round}`, async () => (await reasons()).length === round + 1);
      await daemon.idle();
    }
    await rig.mesh.remove('orders');
    await rig.decided({ subject: EDGE, reason: 'Contended', outcome: 'held' });
    await daemon.idle();
    expect(await rig.mesh.access('orders')).toBeUndefined();
    rig.clock.advance(11 * 60_000);
    await isOpen(rig, READ);
    await rig.decided({ subject: EDGE, reason: 'HoldEnded' });
  });

  it('that widens is corrected each time, however often, and never reported as contended', async () => {
    await open();
    for (let round = 1; round <= 7; round++) {
      await rig.mesh.write('orders', [{ Name: 'web', Action: 'allow', Description: MARK }]);
      await until(`correction ${round}`, async () => (await reasons()).length === round + 1);
      await isOpen(rig, READ);
      await daemon.idle();
    }
    expect((await reasons()).slice(1)).toEqual(Array(7).fill('applied DriftCorrected'));
  });

  it('to remove the mark is reported and left alone', async () => {
    await open();
    const entry = await rig.mesh.entry('orders');
    const bare = (entry?.Sources ?? []).map((source) => ({ ...source, Description: 'mine now' }));
    await rig.mesh.write('orders', bare);
    await rig.decided({ subject: EDGE, reason: 'MarkLost', outcome: 'held' });
    rig.idp.put('web-app');
    await daemon.tell('client.updated', 'web-app');
    await daemon.idle();
    expect((await rig.mesh.access('orders'))?.web).toBe(READ);
    expect(rig.proxy.writes).toHaveLength(1);
    await rig.mesh.write(
      'orders',
      bare.map((source) => ({ ...source, Description: MARK })),
    );
    await isClosed(rig);
    await rig.decided({ subject: EDGE, reason: 'HoldEnded' });
  });

  it('never reaches an entry that another tool manages', async () => {
    rig = await ordersRig();
    await rig.mesh.request('PUT', '/v1/config', {
      Kind: 'service-intentions',
      Name: 'orders',
      Meta: { 'external-source': 'kubernetes' },
      Sources: [FOREIGN],
    });
    const before = await rig.mesh.entry('orders');
    daemon = await rig.start();
    await rig.decided({ subject: EDGE, reason: 'ManagedElsewhere', outcome: 'held' });
    await daemon.idle();
    expect(await rig.mesh.entry('orders')).toEqual(before);
    expect(rig.proxy.writes).toEqual([]);
  });
});

describe('a mode', () => {
  it('of observation plans and reports each change once, and writes nothing', async () => {
    await running({ file: { mode: 'observe', resync: '1s' } });
    const planned = await rig.decided({ subject: EDGE, outcome: 'observed' });
    expect(planned).toMatchObject({
      type: 'dev.scopemesh.intention.planned',
      reason: 'ModeForbids',
      changeReason: 'ScopeGranted',
      action: 'grant',
    });
    rig.clock.advance(2_000);
    await daemon.tell('client.updated', 'web-app');
    await daemon.idle();
    expect(await reasons()).toHaveLength(1);
    rig.idp.put('web-app');
    await daemon.tell('client.updated', 'web-app');
    const ended = await rig.decided({ subject: EDGE, action: 'none' });
    expect(ended).toMatchObject({ type: 'dev.scopemesh.intention.planned', before: null, after: null });
    expect(rig.proxy.writes).toEqual([]);
  });

  it('of extension adds and widens, and holds what would narrow or delete', async () => {
    await open({ file: { mode: 'extend' } });
    rig.idp.put('web-app', 'orders:read', 'orders:write');
    await daemon.tell('client.updated', 'web-app');
    await isOpen(rig, BOTH);
    rig.idp.put('web-app', 'orders:read');
    await daemon.tell('client.updated', 'web-app');
    await rig.decided({ subject: EDGE, reason: 'ModeForbids' });
    rig.idp.clients.set('other-app', clientOf('other', 'orders:read'));
    await daemon.tell('client.updated', 'other-app');
    await isOpen(rig, READ, 'other');
    await daemon.idle();
    expect((await rig.mesh.access('orders'))?.web).toBe(BOTH);
  });
});
