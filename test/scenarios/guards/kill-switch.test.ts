import { rmSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import type { Daemon, DaemonOptions, Rig } from '../../support/daemon.js';
import { BOB, EDGE, HTTP, isClosed, isOpen, ordersRig, READ } from '../../support/orders-rig.js';

const HOUR = 3_600_000;

let rig: Rig;
let daemon: Daemon;
afterEach(() => rig.close());

async function running(guards: object = {}, options: DaemonOptions = {}): Promise<void> {
  rig = await ordersRig({ ...options, file: { http: HTTP, guards, ...options.file } });
  daemon = await rig.start();
  await isOpen(rig, READ);
  await daemon.idle();
}

const WEB = { source: 'web', destination: 'orders', reason: 'INC-1' };
async function send(path: string, body: object, token?: string) {
  const { status, text } = await daemon.post(
    path,
    { ...(token === undefined ? { user: 'ana' } : {}), ...body },
    token,
  );
  return { status, body: JSON.parse(text) };
}
const deny = (body: object = {}) => send('/api/denies', { ...WEB, forSeconds: 7_200, ...body });
const end = (token?: string) => send('/api/denies/end', WEB, token);
const isDenied = () => isOpen(rig, 'deny');

describe('a deny', () => {
  it('closes the edge within 2 s, outlives a restart, and ends at its time with its decisions', async () => {
    await running();
    const began = performance.now();
    expect(await deny()).toMatchObject({
      status: 200,
      body: { deny: { ...WEB, by: 'local (ana)', endedAt: null } },
    });
    await isDenied();
    expect(performance.now() - began).toBeLessThan(2_000);
    await rig.decided({ subject: EDGE, reason: 'PersonDenied', outcome: 'applied' });
    await daemon.stop();
    daemon = await rig.start();
    await daemon.idle();
    await isDenied();
    expect(await daemon.status()).toMatchObject({ denies: [WEB] });
    expect(await daemon.metric('scopemesh_denies')).toBe(1);
    rig.clock.advance(2 * HOUR);
    await isOpen(rig, READ);
    await rig.decided({ subject: EDGE, reason: 'DenyEnded', outcome: 'applied' });
    const about = (await rig.decisions()).filter(({ subject }) => subject === EDGE);
    const seen = new Set(about.map(({ reason, outcome }) => `${reason} ${outcome}`));
    for (const each of ['PersonDenied observed', 'PersonDenied held', 'DenyEnded observed'])
      expect(seen).toContain(each);
    expect(
      about.find(({ reason, outcome }) => reason === 'PersonDenied' && outcome === 'applied'),
    ).toMatchObject({
      principal: { id: 'local', note: 'ana' },
      detail: expect.stringContaining('INC-1'),
      after: { access: 'deny' },
    });
    expect((await daemon.status()).denies).toEqual([]);
  });

  it('outlives the store by its mark in Consul, and a person can still end it', async () => {
    await running();
    await deny();
    await isDenied();
    await daemon.idle();
    await daemon.stop();
    for (const file of ['queue.db', 'journal.db'])
      for (const end of ['', '-wal', '-shm']) rmSync(`${rig.directory}/${file}${end}`, { force: true });
    daemon = await rig.start();
    await daemon.idle();
    await isDenied();
    expect((await daemon.status()).denies).toEqual([]);
    expect((await end()).status).toBe(200);
    await isOpen(rig, READ);
    expect((await end()).status).toBe(404);
  });

  it('prevents what the identity provider grants later, and opens only what is granted at its end', async () => {
    await running();
    const other = { source: 'other' };
    expect((await deny(other)).status).toBe(200);
    await isOpen(rig, 'deny', 'other');
    rig.idp.change('other-app', { scopes: ['orders:read'] });
    await daemon.tell('client.updated', 'other-app');
    await rig.decided({ subject: EDGE.replace('web', 'other'), reason: 'PersonDenied', outcome: 'held' });
    await daemon.idle();
    await isOpen(rig, 'deny', 'other');
    expect((await send('/api/denies/end', { ...WEB, ...other })).status).toBe(200);
    await isOpen(rig, READ, 'other');
    await deny();
    await isDenied();
    rig.idp.change('web-app', { scopes: [] });
    await daemon.tell('client.updated', 'web-app');
    await daemon.idle();
    expect((await end()).status).toBe(200);
    await isClosed(rig);
  });

  it('wins over a break-glass grant, and over a quarantine that is released', async () => {
    await running({ breakGlass: { longest: '4h' } });
    const grant = { user: 'ana', source: 'other', destination: 'orders', forSeconds: 7_200, reason: 'INC-2' };
    expect((await daemon.post('/api/break-glass', grant)).status).toBe(200);
    await isOpen(rig, 'allow', 'other');
    await deny({ source: 'other' });
    await isOpen(rig, 'deny', 'other');
    await daemon.idle();
    await isOpen(rig, 'deny', 'other');
  });

  it('is refused with the reason where it would close nothing, and for unknown names', async () => {
    const Sources = [{ Name: 'mine', Action: 'allow' }];
    await running(
      {},
      {
        prepare: async ({ mesh }) => {
          await mesh.register('mine');
          await mesh.register('billing');
          await mesh.request('PUT', '/v1/config', { Kind: 'service-intentions', Name: 'billing', Sources });
        },
      },
    );
    const foreign = await deny({ source: 'mine', destination: 'billing' });
    expect(foreign.body.error).toContain('ForeignSource');
    for (const body of [{ source: 'wbe' }, { destination: 'odrers' }])
      expect(await deny(body)).toMatchObject({
        status: 404,
        body: { error: expect.stringContaining('no service') },
      });
    for (const body of [
      { reason: '' },
      { destination: '*' },
      { source: '*' },
      { forSeconds: 0 },
      { forSeconds: 1e9 },
    ])
      expect((await deny(body)).status).toBe(400);
    expect((await daemon.status()).denies).toEqual([]);
    rig.writeFile({ mode: 'extend', http: HTTP });
    daemon.reload();
    await rig.decided({ reason: 'ConfigReloaded' });
    expect((await deny()).body.error).toContain('mode is extend');
  });
});

describe('a quarantine by a person', () => {
  it('closes the client within 2 s as a report does, names the person, and is released by approve', async () => {
    await running();
    const path = '/api/quarantines/main/web-app';
    const began = performance.now();
    expect((await send(path, { reason: 'INC-3' })).status).toBe(200);
    await isClosed(rig);
    expect(performance.now() - began).toBeLessThan(2_000);
    const decision = await rig.decided({
      reason: 'ClientQuarantined',
      outcome: 'applied',
      subject: 'client/main/web-app',
    });
    expect(decision).toMatchObject({ principal: { id: 'local', note: 'ana' }, detail: 'INC-3' });
    await daemon.stop();
    daemon = await rig.start();
    await daemon.idle();
    await isClosed(rig);
    expect((await send(`${path}/release`, {})).status).toBe(200);
    await isOpen(rig, READ);
  });

  it('is refused for unknown names, without a reason, and for a token that only reads', async () => {
    await running();
    const statusOf = async (path: string, body: object, token?: string) =>
      (await send(path, body, token)).status;
    expect(await statusOf('/api/quarantines/main/wbe-app', { reason: 'x' })).toBe(404);
    expect(await statusOf('/api/quarantines/mian/web-app', { reason: 'x' })).toBe(404);
    expect(await statusOf('/api/quarantines/main/web-app', {})).toBe(400);
    expect(await statusOf('/api/quarantines/main/web-app', { reason: 'x' }, `${BOB}x`)).toBe(401);
    await isOpen(rig, READ);
  });
});
