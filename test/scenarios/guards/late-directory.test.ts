import { afterEach, describe, expect, it } from 'vitest';
import { definedFields } from '../../../src/model/defined-fields.js';
import { clientOf, type DaemonOptions, type Rig } from '../../support/daemon.js';
import { EDGE, isClosed, isOpen, ordersRig, READ, WRITE } from '../../support/orders-rig.js';
import { until } from '../../support/until.js';

let rig: Rig;
afterEach(() => rig.close());

/** Starts again, with a directory that answers only after the first comparison with Consul. */
async function restartedBeforeDirectory(
  change: () => Promise<void> | void,
  options: DaemonOptions = {},
  isKept = true,
): Promise<void> {
  rig = await ordersRig(options);
  const first = await rig.start();
  await isOpen(rig, READ);
  await first.idle();
  await first.stop();
  await change();
  const before = (await rig.decisions()).length;
  rig.idp.fault = () => ({ status: 503, json: {} });
  await rig.start();
  await rig.decided({ reason: 'SweepCompleted' }, before);
  if (isKept) await isOpen(rig, READ);
  rig.idp.fault = undefined;
  // Long enough for the read to be tried again; the next regular comparison is an hour away.
  rig.clock.advance(60_000);
}

describe('an intention whose directory is read after the first comparison with Consul', () => {
  it.each([
    ['the client is gone', () => void rig.idp.clients.delete('web-app'), 'ClientDeleted'],
    ['the client is disabled', () => rig.idp.change('web-app', { enabled: false }), 'ClientDisabled'],
    ['the client lost its scopes', () => rig.idp.put('web-app'), 'ScopeRevoked'],
    [
      'the client and its service are gone',
      async () => {
        rig.idp.clients.delete('web-app');
        await rig.mesh.deregister('web');
      },
      'ClientDeleted',
    ],
    [
      'the service claims another client',
      () => rig.mesh.register('web', { client: 'other-app' }),
      'ClaimRemoved',
    ],
  ])('closes where %s', async (_, change, reason) => {
    // Which client the service has left is known without the directory.
    await restartedBeforeDirectory(change, {}, reason !== 'ClaimRemoved');
    await isClosed(rig);
    expect(await rig.decided({ subject: EDGE, action: 'revoke' })).toMatchObject({
      reason,
      outcome: 'applied',
    });
  });
});

/** Only the records of single clients can be read from now on. */
function failWholeReads(): void {
  const next = `${rig.idp.url}?page=2`;
  rig.idp.fault = (path) => {
    if (path === '/directory') return { json: { clients: [], single: true, next } };
    return path.includes('page=2') ? { status: 503, json: {} } : undefined;
  };
}

describe('an event before the first complete read of a directory', () => {
  const restartedWithSingleReads = async (clients?: DaemonOptions['clients']) => {
    rig = await ordersRig(definedFields({ clients }));
    const first = await rig.start();
    await isOpen(rig, READ);
    await first.idle();
    await first.stop();
    failWholeReads();
    return rig.start();
  };

  it.each([
    ['lost its scopes', () => rig.idp.put('web-app'), 'client.updated', 'ScopeRevoked'],
    ['is disabled', () => rig.idp.change('web-app', { enabled: false }), 'client.disabled', 'ClientDisabled'],
    ['is gone', () => void rig.idp.clients.delete('web-app'), 'client.deleted', 'ClientDeleted'],
  ])('closes the edges of a client that %s', async (_, change, type, reason) => {
    const daemon = await restartedWithSingleReads();
    change();
    await daemon.tell(type, 'web-app');
    await isClosed(rig);
    expect(await rig.decided({ subject: EDGE, action: 'revoke' })).toMatchObject({
      reason,
      outcome: 'applied',
    });
  });

  it('opens nothing, and leaves the other clients as they are', async () => {
    const daemon = await restartedWithSingleReads([
      clientOf('web', 'orders:read'),
      clientOf('other', 'orders:read'),
    ]);
    rig.idp.put('web-app', 'orders:write');
    rig.idp.put('other-app');
    await daemon.tell('client.updated', 'web-app');
    await isClosed(rig);
    await isOpen(rig, READ, 'other');
    rig.idp.fault = undefined;
    await until('the directory is read', async () => {
      // The read that failed is tried again after some seconds, and this may come before it has failed.
      rig.clock.advance(10_000);
      return (await daemon.status()).directories.every(({ ageSeconds }) => ageSeconds !== null);
    });
    await isOpen(rig, WRITE);
    await isClosed(rig, 'other');
  });
});

describe('a recheck before the first complete read of a directory', () => {
  it('does not keep the claim of its client from being recorded after that read', async () => {
    rig = await ordersRig({ provider: { poll: '1s' } });
    const first = await rig.start();
    await isOpen(rig, READ);
    rig.idp.put('web-app', 'orders:write');
    rig.clock.advance(1_500);
    await isOpen(rig, WRITE);
    await first.idle();
    await first.stop();
    // The first recheck of what the poll found is due.
    rig.clock.advance(6_000);
    failWholeReads();
    rig.writeFile({ services: { claims: 'first' } }, { poll: '1s' });
    const daemon = await rig.start();
    const jobs = 'scopemesh_jobs_total{key="client",result="done"}';
    await until('the recheck', async () => ((await daemon.metric(jobs)) ?? 0) > 0);
    rig.idp.fault = undefined;
    rig.clock.advance(10_000);
    const created = { type: 'dev.scopemesh.claim.created', outcome: 'applied' } as const;
    await rig.decided({ ...created, subject: 'claim/main/other-app/other' });
    await rig.decided({ ...created, subject: 'claim/main/web-app/web' });
    await isOpen(rig, WRITE);
  });
});
