import { afterEach, describe, expect, it } from 'vitest';
import type { Daemon, Rig } from '../support/daemon.js';
import type { SignableEvent } from '../support/idp.js';
import { secretOf } from '../support/idp.js';
import { EDGE, isOpen, ordersRig, READ } from '../support/orders-rig.js';
import { until } from '../support/until.js';

let rig: Rig;
let daemon: Daemon;
afterEach(() => rig.close());

async function running(): Promise<void> {
  rig = await ordersRig();
  daemon = await rig.start();
  await isOpen(rig, READ);
  await daemon.idle();
}

const UPDATED: SignableEvent = { type: 'client.updated', data: { clientId: 'web-app' } };

async function post(body: string | Buffer, headers: Record<string, string> = {}, provider = 'main') {
  const answer = await fetch(`${daemon.address}/events/${provider}`, { method: 'POST', body, headers });
  await answer.text();
  return answer.status;
}

const rejected = async () =>
  (await rig.decisions()).filter(({ type }) => type === 'dev.scopemesh.event.rejected');

describe('an event that fails verification', () => {
  it('is refused with a status and a decision of its own, and changes nothing', async () => {
    await running();
    const requests = rig.proxy.requests.length;
    const { headers, body } = rig.idp.sign(UPDATED);
    expect(await daemon.send({ ...UPDATED, secret: secretOf(9) })).toBe(401);
    expect(await post(body.replace('web-app', 'web-apq'), headers)).toBe(401);
    expect(await post(body)).toBe(401);
    expect(await daemon.send({ ...UPDATED, atMs: rig.clock.now() - 301_000 })).toBe(400);
    expect(await daemon.send({ ...UPDATED, atMs: rig.clock.now() + 302_000 })).toBe(400);
    expect(await daemon.send({ type: 'client.updated', data: {} })).toBe(400);
    expect(await post(Buffer.alloc(300_000, 0x20), { 'content-type': 'application/json' })).toBe(413);
    await until('seven decisions', async () => (await rejected()).length === 7);
    expect((await rejected()).map(({ reason, outcome }) => `${reason} ${outcome}`)).toEqual([
      'SignatureInvalid refused',
      'SignatureInvalid refused',
      'SignatureInvalid refused',
      'EventStale refused',
      'EventStale refused',
      'EventInvalid refused',
      'EventInvalid refused',
    ]);
    expect((await rejected())[0]?.principal).toEqual({ id: 'unauthenticated', ip: '127.0.0.1' });
    await daemon.idle();
    // The watch of the catalog may read the services late.
    const ofEntry = (each: string) => each.includes('orders') && !each.startsWith('GET /v1/catalog/');
    expect(rig.proxy.requests.slice(requests).filter(ofEntry)).toEqual([]);
    expect(await daemon.metric('scopemesh_events_total{provider="main",result="rejected"}')).toBe(7);
  });

  it('is recorded also if it is too long', async () => {
    await running();
    expect(await post(Buffer.alloc(3_000_000, 0x20), { 'content-type': 'application/json' })).toBe(413);
    await rig.decided({ type: 'dev.scopemesh.event.rejected', reason: 'EventInvalid' });
    expect(await daemon.metric('scopemesh_events_total{provider="main",result="rejected"}')).toBe(1);
  });

  it('has no effect when it comes again, now or after a restart', async () => {
    await running();
    const event = { ...UPDATED, id: 'msg_once' };
    expect(await daemon.send(event)).toBe(202);
    await daemon.idle();
    expect(await daemon.send(event)).toBe(202);
    await daemon.stop();
    daemon = await rig.start();
    expect(await daemon.send(event)).toBe(202);
    expect(await daemon.metric('scopemesh_events_total{provider="main",result="duplicate"}')).toBe(1);
    expect(await rejected()).toEqual([]);
  });

  it('gets 404 if no provider with this name has a webhook, 405 by another method, and no decision', async () => {
    await running();
    const { headers, body } = rig.idp.sign(UPDATED);
    expect(await post(body, headers, 'nobody')).toBe(404);
    // This kind of provider has no handshake by GET.
    const got = await fetch(`${daemon.address}/events/main`);
    expect([got.status, got.headers.get('allow')]).toEqual([405, 'POST']);
    expect(await post(Buffer.alloc(3_000_000, 0x20), {}, 'nobody')).not.toBe(500);
    expect(await rejected()).toEqual([]);
  });
});

describe('an event of an unknown type', () => {
  it('is accepted and does nothing', async () => {
    await running();
    expect(await daemon.send({ type: 'user.created', data: {} })).toBe(202);
    expect(await daemon.send({ type: 'session.revoked', data: { subject: 'alice' } })).toBe(202);
    expect(
      await daemon.send({ type: 'session.revoked', data: { subject: 'alice', clientId: 'web-app' } }),
    ).toBe(202);
    await daemon.idle();
    expect((await rig.mesh.access('orders'))?.web).toBe(READ);
    expect((await rig.decisions()).filter(({ subject }) => subject === EDGE)).toHaveLength(1);
  });
});

describe('old order of events', () => {
  it('does no harm: an old deletion of a client that exists again removes nothing', async () => {
    await running();
    expect(await daemon.send({ type: 'client.deleted', data: { clientId: 'web-app' } })).toBe(202);
    expect(await daemon.send({ type: 'client.disabled', data: { clientId: 'web-app' } })).toBe(202);
    await daemon.idle();
    expect((await rig.mesh.access('orders'))?.web).toBe(READ);
    expect(rig.proxy.writes).toHaveLength(1);
  });
});
