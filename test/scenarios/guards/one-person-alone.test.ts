import { afterEach, describe, expect, it } from 'vitest';
import type { Daemon, Rig } from '../../support/daemon.js';
import { BOB, isClosed, isOpen, ordersRig, READ } from '../../support/orders-rig.js';
import { until } from '../../support/until.js';

/* With `guards.approvers: 2`: what one person tries who has the token file, or a token, or both users of the machine. */

let rig: Rig;
let daemon: Daemon;
afterEach(() => rig.close());

const READER = 'a-token-of-thirty-two-characters-read';
const OWN = 'anas-own-token-of-thirty-two-chars';
const HTTP = {
  listen: '127.0.0.1:0',
  tokens: [
    { name: 'bob', token: BOB, approve: 'on' },
    { name: 'ana', token: OWN, approve: 'on' },
    { name: 'reader', token: READER },
  ],
};

async function running(): Promise<void> {
  const guards = {
    approvers: 2,
    maxRevocations: { percent: 0, atLeast: 0 },
    breakGlass: { longest: '4h' },
  };
  rig = await ordersRig({ provider: { poll: '1s' }, file: { http: HTTP, guards } });
  daemon = await rig.start();
  await isOpen(rig, READ);
  await daemon.idle();
}

/** As somebody who knows the token file, under any name; or with a token. */
const as = (by: string, path: string, body: object = {}) => {
  const tokens: Readonly<Record<string, string>> = {
    'token:bob': BOB,
    'token:ana': OWN,
    'token:reader': READER,
  };
  const token = tokens[by];
  return daemon.post(path, { ...(token === undefined ? { user: by } : {}), ...body }, token);
};
const statusOf = async (...call: Parameters<typeof as>) => (await as(...call)).status;

async function heldRemoval(): Promise<string> {
  rig.idp.change('web-app', { scopes: [] });
  rig.clock.advance(1_500);
  const hold = await until('a hold', async () =>
    (await daemon.status()).holds.find(({ reason }) => reason === 'RevocationLimit'),
  );
  return `/api/holds/${hold.decisionId}`;
}

describe('one person alone', () => {
  it('approves no held removal under several names, as another user, as root, or with a token of the own name', async () => {
    await running();
    const hold = await heldRemoval();
    expect(await statusOf('ana', `${hold}/approve`)).toBe(202);
    for (const name of ['ana', 'bob', 'root', 'ANA ', 'token:carl', 'local', 'os:bob', ' bob'])
      expect([name, await statusOf(name, `${hold}/approve`)]).toEqual([name, 409]);
    expect(await statusOf('token:ana', `${hold}/approve`)).toBe(409);
    expect(await statusOf('token:reader', `${hold}/approve`)).toBe(403);
    expect((await as('ana', `${hold}/approve`, { override: true })).status).toBe(409);
    await daemon.idle();
    await isOpen(rig, READ);
  });

  it('gains nothing by rejecting its own first approval, nor by a stop and a start of the daemon', async () => {
    await running();
    const hold = await heldRemoval();
    expect(await statusOf('ana', `${hold}/approve`)).toBe(202);
    expect(await statusOf('carl', `${hold}/reject`)).toBe(200);
    expect((await as('ana', `${hold}/approve`, { override: true })).status).toBe(202);
    await daemon.stop();
    daemon = await rig.start();
    await daemon.idle();
    expect((await as('dora', `${hold}/approve`, { override: true })).status).toBe(409);
    await isOpen(rig, READ);
  });

  it('gets no second vote by a hold that ended and began again', async () => {
    await running();
    const first = await heldRemoval();
    expect(await statusOf('ana', `${first}/approve`)).toBe(202);
    rig.idp.change('web-app', { scopes: ['orders:read'] });
    rig.clock.advance(1_500);
    await until('the hold ended', async () => (await daemon.status()).holds.length === 0);
    const second = await heldRemoval();
    expect(second).not.toBe(first);
    expect(await statusOf('token:bob', `${first}/approve`)).toBe(404);
    expect(await statusOf('token:bob', `${second}/approve`)).toBe(202);
    await daemon.idle();
    await isOpen(rig, READ);
  });

  it('releases no quarantine by its three names, nor one that it ordered itself', async () => {
    await running();
    expect(await statusOf('ana', '/api/quarantines/main/web-app', { reason: 'x' })).toBe(200);
    await isClosed(rig);
    const { id } = await rig.decided({ reason: 'ClientQuarantined', subject: 'client/main/web-app' });
    const held = await until('the held grant', async () =>
      (await daemon.status()).holds.find(({ reason }) => reason === 'ClientQuarantined'),
    );
    const release = '/api/quarantines/main/web-app/release';
    expect(await statusOf('ana', release)).toBe(202);
    for (const path of [release, `/api/holds/${id}/approve`, `/api/holds/${held.decisionId}/approve`])
      expect([path, await statusOf('bob', path), await statusOf('token:ana', path)]).toEqual([
        path,
        409,
        409,
      ]);
    // A report that the first person did not know makes the first approval void.
    rig.clock.advance(2_000);
    expect(await statusOf('ana', '/api/quarantines/main/web-app', { reason: 'again' })).toBe(200);
    await daemon.idle();
    expect(await statusOf('token:bob', release)).toBe(202);
    await daemon.idle();
    await isClosed(rig);
    expect(await statusOf('carl', release)).toBe(200);
    await isOpen(rig, READ);
  });

  it('opens no break-glass grant that it asked for, by any way of approval', async () => {
    await running();
    const asked = { source: 'other', destination: 'orders', forSeconds: 600, reason: 'x' };
    const { text } = await as('ana', '/api/break-glass', asked);
    const { id } = JSON.parse(text).grant;
    for (const by of ['ana', 'bob', 'token:ana'])
      expect([by, await statusOf(by, `/api/holds/${id}/approve`)]).toEqual([by, 409]);
    await daemon.idle();
    expect((await rig.mesh.access('orders'))?.other).toBeUndefined();
    expect(await statusOf('token:bob', `/api/holds/${id}/approve`)).toBe(200);
  });

  it('ends no deny early, neither by --end, nor by a shorter one, nor by a restart', async () => {
    await running();
    const edge = { source: 'web', destination: 'orders', reason: 'x' };
    expect(await statusOf('token:bob', '/api/denies', { ...edge, forSeconds: 7_200 })).toBe(200);
    await isOpen(rig, 'deny');
    expect(await statusOf('ana', '/api/denies/end', edge)).toBe(202);
    expect(await statusOf('carl', '/api/denies/end', edge)).toBe(409);
    expect(await statusOf('token:ana', '/api/denies/end', edge)).toBe(409);
    expect(await statusOf('token:reader', '/api/denies/end', edge)).toBe(403);
    expect(await statusOf('ana', '/api/denies', { ...edge, forSeconds: 1 })).toBe(200);
    rig.clock.advance(3_000);
    await daemon.stop();
    daemon = await rig.start();
    await daemon.idle();
    await isOpen(rig, 'deny');
    // The new deny is another one: its end needs two persons again.
    expect(await statusOf('token:bob', '/api/denies/end', edge)).toBe(202);
    expect(await statusOf('ana', '/api/denies/end', edge)).toBe(200);
    await isOpen(rig, READ);
  });

  it('closes no more than 100 edges by denies', async () => {
    await running();
    const names = Array.from({ length: 101 }, (_, at) => `s${at}`);
    for (const name of names) await rig.mesh.register(name);
    const deny = (source: string) =>
      as('ana', '/api/denies', { source, destination: 'orders', forSeconds: 600, reason: 'x' });
    await until('the last is known', async () => (await deny('s100')).status === 200);
    for (const name of names.slice(0, 99)) expect((await deny(name)).status).toBe(200);
    expect(await deny('s99')).toMatchObject({ status: 409, text: expect.stringContaining('100 denies') });
    expect((await deny('s98')).status).toBe(200);
  });
});
