import { afterEach, describe, expect, it } from 'vitest';
import { clientOf, type Daemon, type DaemonOptions, type Rig } from '../../support/daemon.js';
import { BOTH, EDGE, isClosed, isOpen, ordersRig, READ, WRITE } from '../../support/orders-rig.js';
import { until } from '../../support/until.js';

let rig: Rig;
afterEach(() => rig.close());

async function running(options: DaemonOptions = {}): Promise<Daemon> {
  rig = await ordersRig(options);
  return rig.start();
}

describe('what an identity provider says opens and closes a call', () => {
  it('opens it by what the directory says at the start', async () => {
    await running();
    await isOpen(rig, READ);
    expect(await rig.decided({ subject: EDGE, outcome: 'applied' })).toMatchObject({
      type: 'dev.scopemesh.intention.created',
      reason: 'ScopeGranted',
      scopes: ['orders:read'],
    });
  });

  it('grants, narrows, disables and deletes by signed events, each with its reason', async () => {
    const daemon = await running();
    await isOpen(rig, READ);
    rig.idp.put('web-app', 'orders:read', 'orders:write');
    await daemon.tell('client.updated', 'web-app');
    await isOpen(rig, BOTH);
    rig.idp.put('web-app', 'orders:write');
    await daemon.tell('client.updated', 'web-app');
    await isOpen(rig, WRITE);
    await rig.decided({ reason: 'ScopeRevoked', outcome: 'applied', scopes: ['orders:read'] });
    rig.idp.change('web-app', { enabled: false });
    await daemon.tell('client.disabled', 'web-app');
    await isClosed(rig);
    await rig.decided({ reason: 'ClientDisabled', outcome: 'applied', scopes: ['orders:write'] });
    rig.idp.change('web-app', { enabled: true });
    await daemon.tell('client.updated', 'web-app');
    await isOpen(rig, WRITE);
    rig.idp.clients.delete('web-app');
    await daemon.tell('client.deleted', 'web-app');
    await isClosed(rig);
    expect(await rig.decided({ reason: 'ClientDeleted' })).toMatchObject({
      action: 'revoke',
      outcome: 'applied',
      scopes: ['orders:write'],
      client: { provider: 'main', clientId: 'web-app' },
      cause: { kind: 'webhook' },
    });
  });

  it('does the same by the poll alone where no event comes', async () => {
    await running({ provider: { poll: '100ms' } });
    await isOpen(rig, READ);
    rig.idp.put('web-app', 'orders:write');
    await isOpen(rig, WRITE);
    rig.idp.change('web-app', { enabled: false });
    await isClosed(rig);
    expect(await rig.decided({ reason: 'ClientDisabled' })).toMatchObject({ cause: { kind: 'poll' } });
    rig.idp.change('web-app', { enabled: true });
    await isOpen(rig, WRITE);
    rig.idp.clients.delete('web-app');
    await isClosed(rig);
    await rig.decided({ reason: 'ClientDeleted' });
  });

  it('finds what changed while scopemesh was down when a poll cannot name it', async () => {
    const daemon = await running({ provider: { poll: '100ms' } });
    await isOpen(rig, READ);
    await daemon.idle();
    await daemon.stop();
    rig.idp.put('web-app', 'orders:write');
    await rig.start();
    await isOpen(rig, WRITE);
  });

  it('lets in a newly registered and tagged service without any event', async () => {
    const daemon = await running({
      clients: [clientOf('web', 'orders:read'), clientOf('other'), clientOf('late', 'orders:read')],
    });
    await isOpen(rig, READ);
    // The comparison at the start would show it as well.
    await daemon.idle();
    await rig.mesh.register('late', { id: 'late-1', tags: ['oauth-client=late-app'] });
    await isOpen(rig, READ, 'late');
    expect(await rig.decided({ subject: 'intention/default/default/orders/late' })).toMatchObject({
      reason: 'ClaimAdded',
      cause: { kind: 'consul-watch' },
    });
  });
});

/** Resolves when what was done to the catalog has been read and dealt with. */
async function isNoticed(daemon: Daemon, change: () => Promise<void>): Promise<void> {
  const reads = () =>
    rig.proxy.requests.filter((each) => /^GET \/v1\/catalog\/services\?consistent/.test(each)).length;
  await daemon.idle();
  const before = reads();
  await change();
  await until('another read of the catalog', () => reads() > before);
  await daemon.idle();
}

describe('what a service says of its client', () => {
  it('ends access at once when the tag is removed', async () => {
    await running();
    await isOpen(rig, READ);
    await rig.mesh.register('web');
    await isClosed(rig);
    expect(await rig.decided({ subject: EDGE, action: 'revoke' })).toMatchObject({ reason: 'ClaimRemoved' });
  });

  it('keeps access for the grace of a service without instances, and not longer', async () => {
    const daemon = await running();
    await isOpen(rig, READ);
    await isNoticed(daemon, () => rig.mesh.deregister('web'));
    rig.clock.advance(4 * 60_000);
    await daemon.idle();
    expect((await rig.mesh.access('orders'))?.web).toBe(READ);
    // The grace begins with the look at the catalog, which a slow machine may take after the first step.
    await until('the end of the grace', async () => {
      rig.clock.advance(61_000);
      return (await rig.mesh.access('orders'))?.web === undefined;
    });
    await rig.decided({ subject: EDGE, action: 'revoke', reason: 'ClaimRemoved' });
  });

  it('gives access back to a service that returns within the grace, without a write', async () => {
    const daemon = await running();
    await isOpen(rig, READ);
    await isNoticed(daemon, () => rig.mesh.deregister('web'));
    rig.clock.advance(4 * 60_000);
    await isNoticed(daemon, () => rig.mesh.register('web', { client: 'web-app' }));
    rig.clock.advance(4 * 60_000);
    await daemon.idle();
    expect(rig.proxy.writes).toHaveLength(1);
  });

  it('keeps the old claim of instances that disagree, adds nothing, and reports it once', async () => {
    const daemon = await running();
    await isOpen(rig, READ);
    await rig.mesh.register('web', { client: 'other-app', id: 'web-2' });
    const held = await rig.decided({ reason: 'ClaimAmbiguous', outcome: 'held' });
    expect(held.subject).toBe('claim/main/web-app/web');
    rig.idp.put('web-app', 'orders:read', 'orders:write');
    await daemon.tell('client.updated', 'web-app');
    await rig.decided({ reason: 'ClaimAmbiguous', subject: EDGE });
    await daemon.idle();
    expect((await rig.mesh.access('orders'))?.web).toBe(READ);
    await rig.mesh.deregister('web-2');
    await isOpen(rig, BOTH);
    await rig.decided({ reason: 'HoldEnded', subject: EDGE });
    await rig.decided({ reason: 'HoldEnded', subject: 'claim/main/web-app/web' });
    await daemon.idle();
    const reported = (await rig.decisions()).filter(({ reason }) => reason === 'ClaimAmbiguous');
    expect(reported).toHaveLength(2);
  });

  it('ignores a claim until the client confirms it, and reports both', async () => {
    const daemon = await running();
    await isOpen(rig, READ);
    await rig.mesh.register('rogue', { client: 'web-app' });
    await rig.decided({ subject: 'claim/main/web-app/rogue', reason: 'ClaimUnconfirmed', outcome: 'held' });
    await daemon.idle();
    expect(Object.keys((await rig.mesh.access('orders')) ?? {})).toEqual(['web']);
    rig.idp.change('web-app', { attributes: { 'consul-services': 'web,rogue' } });
    await daemon.tell('client.updated', 'web-app');
    await isOpen(rig, READ, 'rogue');
    await rig.decided({ subject: 'claim/main/web-app/rogue', reason: 'HoldEnded' });
  });
});

describe('claims first', () => {
  const first = { file: { services: { claims: 'first' } } };
  const RECORD = 'scopemesh/payments/claims/main/web-app';
  const record = () => rig.mesh.request('GET', `/v1/kv/${RECORD}?raw`);

  it('records the first service with a decision, before the access that follows from it', async () => {
    await running(first);
    await isOpen(rig, READ);
    expect(await record()).toMatchObject({ service: { name: 'web' } });
    const claim = await rig.decided({ subject: 'claim/main/web-app/web', outcome: 'applied' });
    expect(claim).toMatchObject({
      type: 'dev.scopemesh.claim.created',
      reason: 'ClaimAdded',
      client: { provider: 'main', clientId: 'web-app', actorKind: 'workload' },
    });
    await rig.decided({ subject: EDGE, outcome: 'applied' });
    const order = (await rig.decisions()).map(({ subject }) => subject);
    expect(order.indexOf('claim/main/web-app/web')).toBeLessThan(order.indexOf(EDGE));
  });

  it('holds a second service, and gives it the client when the first one no longer claims it', async () => {
    const daemon = await running(first);
    await isOpen(rig, READ);
    await rig.mesh.register('worker', { client: 'web-app' });
    await rig.decided({ subject: 'claim/main/web-app/worker', reason: 'ClaimTaken', outcome: 'held' });
    await daemon.idle();
    expect(Object.keys((await rig.mesh.access('orders')) ?? {})).toEqual(['web']);
    await rig.mesh.register('web');
    await isClosed(rig);
    await isOpen(rig, READ, 'worker');
    expect(await record()).toMatchObject({ service: { name: 'worker' } });
    await rig.decided({ type: 'dev.scopemesh.claim.deleted', subject: 'claim/main/web-app/web' });
    await rig.decided({ subject: 'claim/main/web-app/worker', reason: 'HoldEnded' });
  });

  it('gives the client of a service that no longer claims it to another one although the watch of claims sees nothing', async () => {
    const daemon = await running(first);
    await isOpen(rig, READ);
    await rig.mesh.register('worker', { client: 'web-app' });
    await rig.decided({ subject: 'claim/main/web-app/worker', reason: 'ClaimTaken', outcome: 'held' });
    await daemon.idle();
    let unseen = 0;
    rig.proxy.interfere = ({ target }) => {
      if (!target.includes('/claims') || !target.includes('index=')) return undefined;
      unseen++;
      return { status: 500, body: 'no' };
    };
    // It ends the query that waits: the one after it fails.
    await rig.mesh.request('PUT', '/v1/kv/scopemesh/payments/claims/main/nobody', 'x');
    await until('the watch that sees nothing', () => unseen > 0);
    await rig.mesh.register('web');
    await isOpen(rig, READ, 'worker');
    expect(await record()).toMatchObject({ service: { name: 'worker' } });
  });

  it('closes what it opened although Consul refuses to store a record of the claim', async () => {
    const daemon = await running(first);
    await isOpen(rig, READ);
    await daemon.idle();
    let refused = 0;
    rig.proxy.interfere = ({ method, target }) => {
      if (method !== 'PUT' || !target.startsWith('/v1/txn')) return undefined;
      refused++;
      return { status: 403, body: 'Permission denied' };
    };
    await rig.mesh.request('DELETE', `/v1/kv/${RECORD}`);
    await until('a refused record', () => refused > 0);
    rig.idp.put('web-app');
    await daemon.tell('client.updated', 'web-app');
    await isClosed(rig);
    // The event itself closes it, not a later comparison.
    const { cause } = await rig.decided({ subject: EDGE, action: 'revoke' });
    expect(cause.kind).toBe('webhook');
  });
});
