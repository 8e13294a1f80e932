import { afterEach, describe, expect, it } from 'vitest';
import type { Daemon, DaemonOptions, Rig } from '../../support/daemon.js';
import { BOTH, EDGE, isClosed, isOpen, ordersRig, READ } from '../../support/orders-rig.js';

const FREEZE = 'freeze/payments';

let rig: Rig;
let daemon: Daemon;
afterEach(() => rig.close());

async function running(options: DaemonOptions = {}): Promise<void> {
  rig = await ordersRig(options);
  daemon = await rig.start();
  await isOpen(rig, READ);
  await daemon.idle();
}

const start = (body: object = {}) =>
  daemon.post('/api/freeze/start', { user: 'alice', reason: 'release 42', ...body });
const end = () => daemon.post('/api/freeze/end', { user: 'bob', reason: 'released' });
const give = async (name: string, ...scopes: readonly string[]) => {
  rig.idp.change(`${name}-app`, { scopes });
  await daemon.tell('client.updated', `${name}-app`);
  await daemon.idle();
};
const about = async (subject: string) =>
  (await rig.decisions())
    .filter((each) => each.subject === subject)
    .map(({ type, outcome, reason }) => [type.slice('dev.scopemesh.'.length), outcome, reason]);
const access = async (source: string) => (await rig.mesh.access('orders'))?.[source];

describe('a freeze that a person starts', () => {
  it('holds what would open over a restart, lets a revocation pass, and is made up for at its end', async () => {
    await running();
    expect((await start()).status).toBe(200);
    await give('other', 'orders:read');
    expect(await access('other')).toBeUndefined();
    expect(await daemon.status()).toMatchObject({
      freeze: { kind: 'started', until: null, reason: 'release 42', by: 'local (alice)' },
      holdCounts: { Frozen: 1 },
    });
    await daemon.stop();
    daemon = await rig.start();
    await daemon.idle();
    expect(await access('other')).toBeUndefined();
    await give('web');
    await isClosed(rig);

    expect((await end()).status).toBe(200);
    await isOpen(rig, READ, 'other');
    await daemon.idle();
    expect((await daemon.status()).holdCounts).toEqual({});
    expect(await daemon.metric('scopemesh_frozen')).toBe(0);
    expect(await about(FREEZE)).toEqual([
      ['config.updated', 'applied', 'FreezeStarted'],
      ['config.updated', 'applied', 'FreezeEnded'],
    ]);
    const [began, ended] = (await rig.decisions()).filter(({ subject }) => subject === FREEZE);
    expect(began).toMatchObject({
      principal: { id: 'local', note: 'alice' },
      detail: 'release 42',
      before: null,
    });
    expect(ended).toMatchObject({ principal: { id: 'local', note: 'bob' }, detail: 'released', after: null });
    expect(await about(EDGE.replace('web', 'other'))).toEqual([
      ['intention.held', 'held', 'Frozen'],
      ['intention.released', 'observed', 'HoldEnded'],
      ['intention.created', 'applied', 'ScopeGranted'],
    ]);
    expect((await end()).status).toBe(409);
  });

  it('ends by itself after its time, without an event', async () => {
    await running();
    expect((await start({ forSeconds: 3_600 })).status).toBe(200);
    await give('web', 'orders:read', 'orders:write');
    expect(await access('web')).toBe(READ);
    rig.clock.advance(3_000_000);
    await daemon.idle();
    expect(await access('web')).toBe(READ);
    rig.clock.advance(600_000);
    await isOpen(rig, BOTH);
    await rig.decided({ subject: FREEZE, reason: 'FreezeEnded' });
  });

  it('narrows at once what is replaced, and opens the rest later', async () => {
    await running();
    await start();
    await give('web', 'orders:write');
    expect(await access('web')).not.toContain('GET');
    expect(await access('web')).not.toContain('POST');
    await end();
    await isOpen(rig, 'POST /v1/orders and below');
  });

  it('lets a released client open again only at its end', async () => {
    await running();
    await daemon.tell('client.secret-compromised', 'web-app');
    await isClosed(rig);
    await start();
    expect((await daemon.post('/api/quarantines/main/web-app/release', { user: 'alice' })).status).toBe(200);
    await rig.decided({ type: 'dev.scopemesh.client.released' });
    await daemon.idle();
    expect(await access('web')).toBeUndefined();
    await end();
    await isOpen(rig, READ);
  });

  it('needs a reason of one line and a sensible time', async () => {
    await running();
    for (const body of [{ reason: '' }, { reason: 'a\nb' }, { forSeconds: 0 }, { forSeconds: 1e12 }])
      expect((await start(body)).status).toBe(400);
    expect((await daemon.status()).freeze).toBeNull();
  });
});

describe('a freeze of the schedule', () => {
  it('begins and ends by the clock with a decision each, and a person cannot end it', async () => {
    // Of every day but an hour: the test begins within that hour at the earliest.
    const now = new Date(Date.now() + 2 * 3_600_000);
    const schedule = `${now.getUTCMinutes()} ${now.getUTCHours()} * * *`;
    await running({ file: { guards: { freeze: [{ schedule, duration: '1h' }] } } });
    expect((await daemon.status()).freeze).toBeNull();
    rig.clock.advance(2 * 3_600_000);
    await rig.decided({ subject: `${FREEZE}/schedule`, reason: 'FreezeStarted' });
    await give('other', 'orders:read');
    expect(await access('other')).toBeUndefined();
    expect((await end()).status).toBe(409);
    expect((await daemon.status()).freeze).toMatchObject({ kind: 'scheduled', by: null });
    rig.clock.advance(3_600_000);
    await isOpen(rig, READ, 'other');
    await rig.decided({ subject: `${FREEZE}/schedule`, reason: 'FreezeEnded' });
  });

  it('ends when the file has it no more', async () => {
    const guards = { freeze: [{ schedule: '* * * * *', duration: '1d' }] };
    rig = await ordersRig();
    rig.writeFile({ guards });
    daemon = await rig.start();
    await daemon.idle();
    expect(await access('web')).toBeUndefined();
    rig.writeFile({ guards: {} });
    daemon.reload();
    await isOpen(rig, READ);
    await rig.decided({ subject: `${FREEZE}/schedule`, reason: 'FreezeEnded' });
    // The reload only ended the freeze.
    const opened = await rig.decided(({ type }) => type === 'dev.scopemesh.intention.created');
    expect(opened.reason).toBe('ScopeGranted');
  });
});
