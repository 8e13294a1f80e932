import { afterEach, describe, expect, it } from 'vitest';
import { clientOf, type Daemon, type DaemonOptions, type Rig } from '../../support/daemon.js';
import { isOpen, ordersRig } from '../../support/orders-rig.js';
import { until } from '../../support/until.js';

let rig: Rig;
let daemon: Daemon;
afterEach(() => rig.close());

const NAMES = ['web', ...Array.from({ length: 20 }, (_, at) => `job-${at}`)];
const RULE = { to: 'orders', methods: ['GET'], path: '/v1/orders' };
const file = (rawPath: boolean, more = {}) => ({
  scopes: { 'orders:read': { ...RULE, ...(rawPath ? { rawPath } : {}) } },
  // No removal may be inferred.
  guards: { maxRevocations: { percent: 0, atLeast: 0, window: '10m' } },
  ...more,
});

/** As the rule is with `rawPath`. */
async function openRaw(options: DaemonOptions = {}): Promise<void> {
  rig = await ordersRig({
    clients: [clientOf('other'), ...NAMES.map((name) => clientOf(name, 'orders:read'))],
    file: file(true),
    prepare: async ({ mesh }) => {
      for (const name of NAMES) await mesh.register(name, { client: `${name}-app` });
    },
    ...options,
  });
  daemon = await rig.start();
  for (const name of NAMES) await isOpen(rig, 'GET /v1/orders, GET /v1/orders/*', name);
  await daemon.idle();
}

const normalised = async () => (await rig.decisions()).filter(({ reason }) => reason === 'PathNormalised');

describe('entries that let paths through that are not plain, after the rule lost its `rawPath`', () => {
  it('are rewritten with one write for each destination, with a decision for each edge and the count in the log', async () => {
    await openRaw();
    await daemon.stop();
    rig.writeFile(file(false));
    const before = rig.proxy.writes.length;
    daemon = await rig.start();
    for (const name of NAMES) await isOpen(rig, 'GET /v1/orders and below', name);
    await daemon.idle();
    expect(rig.proxy.writes.length - before).toBe(1);
    const decisions = await normalised();
    expect(decisions.map(({ subject }) => subject).toSorted()).toEqual(
      NAMES.map((name) => `intention/default/default/orders/${name}`).toSorted(),
    );
    for (const decision of decisions)
      expect(decision).toMatchObject({
        outcome: 'applied',
        action: 'revoke',
        writeId: decisions[0]?.writeId,
      });
    const lines = rig.logs.filter((line) => line.includes('plain paths written in place of raw ones'));
    expect(lines).toEqual([expect.stringContaining(`"edges":${NAMES.length}`)]);
    expect((await daemon.status()).holds).toEqual([]);
    expect((await rig.decisions()).filter(({ reason }) => reason === 'DriftCorrected')).toEqual([]);
  });

  it('stay in mode extend, and each is listed as held', async () => {
    await openRaw();
    await daemon.stop();
    rig.writeFile(file(false, { mode: 'extend' }));
    daemon = await rig.start();
    await until('the holds', async () => (await daemon.status()).holds.length === NAMES.length);
    for (const { reason } of (await daemon.status()).holds) expect(reason).toBe('ModeForbids');
    await isOpen(rig, 'GET /v1/orders, GET /v1/orders/*');
  });
});
