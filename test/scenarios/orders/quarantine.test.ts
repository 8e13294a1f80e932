import { mkdirSync, rmSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { createWorld } from '../../../src/app/create-core.js';
import type { Decision } from '../../../src/model/decision.js';
import { createRulings } from '../../../src/operator/rulings.js';
import type { Daemon, DaemonOptions, Rig } from '../../support/daemon.js';
import { EDGE, isClosed, isOpen, ordersRig, READ } from '../../support/orders-rig.js';
import { startWorker } from '../../support/reconcile-rig.js';
import { until } from '../../support/until.js';

const KEY = '/v1/kv/scopemesh/payments/quarantine/main/web-app';
const CLIENT = 'client/main/web-app';
const NO_INDEX = { 'X-Consul-Index': '' };

let rig: Rig;
let daemon: Daemon;
afterEach(() => rig.close());

async function running(options: DaemonOptions = {}): Promise<void> {
  rig = await ordersRig(options);
  daemon = await rig.start();
  await isOpen(rig, READ);
  await daemon.idle();
}

const record = async () => (await rig.mesh.request('GET', KEY)) as readonly { Value: string }[] | undefined;
const isRecorded = () => until('a record in KV', async () => (await record()) !== undefined);
const isForgotten = () => until('no record in KV', async () => (await record()) === undefined);
const sweep = async () => {
  await daemon.stop();
  daemon = await rig.start();
  await daemon.idle();
};
const release = (clientId = 'web-app') =>
  daemon.post(`/api/quarantines/main/${clientId}/release`, { user: 'alice' });
const about = async (subject: string) =>
  (await rig.decisions())
    .filter((each) => each.subject === subject)
    .map(({ type, outcome, reason }: Decision) => [type.slice('dev.scopemesh.'.length), outcome, reason]);

async function quarantined(): Promise<void> {
  await daemon.tell('client.secret-compromised', 'web-app');
  await isClosed(rig);
  await isRecorded();
  await daemon.idle();
}

describe('a quarantine', () => {
  it('has a decision, holds what would open, and its release by a person opens it with that reason', async () => {
    await running();
    await quarantined();
    expect(await daemon.metric('scopemesh_quarantines')).toBe(1);
    rig.idp.change('web-app', { scopes: ['orders:read', 'orders:write'] });
    await daemon.tell('client.updated', 'web-app');
    await daemon.idle();
    expect((await release()).status).toBe(200);
    await isOpen(rig, 'GET+HEAD+POST /v1/orders and below');
    await isForgotten();
    await daemon.idle();
    expect((await release()).status).toBe(404);
    expect(await about(CLIENT)).toEqual([
      ['client.quarantined', 'applied', 'ClientQuarantined'],
      ['client.released', 'applied', 'QuarantineEnded'],
    ]);
    expect(await rig.decided({ type: 'dev.scopemesh.client.released' })).toMatchObject({
      principal: { id: 'local', note: 'alice' },
      action: 'grant',
      resource: { kind: 'client', name: 'web-app' },
      client: { provider: 'main', clientId: 'web-app' },
    });
    expect(await about(EDGE)).toEqual([
      ['intention.created', 'applied', 'ScopeGranted'],
      ['intention.deleted', 'applied', 'ClientQuarantined'],
      ['intention.held', 'held', 'ClientQuarantined'],
      ['intention.held', 'held', 'ClientQuarantined'],
      ['intention.created', 'applied', 'QuarantineEnded'],
      ['intention.released', 'observed', 'HoldEnded'],
    ]);
  });

  it('of a client without edges has the same decisions, and approve ends it', async () => {
    await running();
    await daemon.tell('client.secret-compromised', 'other-app');
    await rig.decided({ type: 'dev.scopemesh.client.quarantined', subject: 'client/main/other-app' });
    await daemon.idle();
    expect((await release('other-app')).status).toBe(200);
    await rig.decided({ type: 'dev.scopemesh.client.released', subject: 'client/main/other-app' });
    expect((await release('other-app')).status).toBe(404);
  });

  it('ends with the reason SecretRotated where the secret is newer', async () => {
    await running();
    await quarantined();
    rig.idp.change('web-app', { secretCreatedAt: new Date(rig.clock.now() + 1_000).toISOString() });
    rig.clock.advance(2_000);
    await daemon.tell('client.updated', 'web-app');
    await isOpen(rig, READ);
    await isForgotten();
    await daemon.idle();
    expect((await about(CLIENT)).at(-1)).toEqual(['client.released', 'applied', 'SecretRotated']);
    expect((await about(EDGE)).filter(([type]) => type === 'intention.created').at(-1)).toEqual([
      'intention.created',
      'applied',
      'QuarantineEnded',
    ]);
  });

  it('has one decision where its order is delivered again', async () => {
    await running();
    await quarantined();
    await quarantined();
    await sweep();
    expect(await about(CLIENT)).toEqual([['client.quarantined', 'applied', 'ClientQuarantined']]);
  });

  it('can be released by the ID of its decision, and by the ID of a grant that it holds', async () => {
    for (const type of ['client.quarantined', 'intention.held'] as const) {
      await running();
      await quarantined();
      const { id } = await rig.decided({ type: `dev.scopemesh.${type}`, reason: 'ClientQuarantined' });
      const { text } = await daemon.post(`/api/holds/${id}/approve`, { user: 'alice' });
      expect(JSON.parse(text)).toEqual({ id, subject: 'quarantine of main/web-app' });
      await isOpen(rig, READ);
      if (type === 'client.quarantined') await rig.close();
    }
  });
});

describe('the record of a quarantine in Consul', () => {
  it('outlives the store: the client stays closed until it is released', async () => {
    await running();
    await quarantined();
    await daemon.stop();
    rmSync(rig.directory, { recursive: true });
    mkdirSync(rig.directory);
    rig.writeFile();
    daemon = await rig.start();
    await daemon.idle();
    await daemon.tell('client.updated', 'web-app');
    await daemon.idle();
    expect((await rig.mesh.access('orders'))?.web).toBeUndefined();
    expect((await daemon.status()).closures).toEqual([
      { provider: 'main', clientId: 'web-app', closure: 'ClientQuarantined' },
    ]);
    await release();
    await isOpen(rig, READ);
    await isForgotten();
  });

  it.each([
    ['fails', { status: 500, body: 'rpc error: No cluster leader' }],
    ['is cut', 'cut'],
    ['is a 404 that does not come from Consul', { status: 404, headers: NO_INDEX }],
    ['has no index', { status: 200, body: '[]', headers: NO_INDEX }],
  ] as const)(
    'is not taken for missing where a read of it %s: nothing opens before it is read',
    async (_, answer) => {
      await running();
      await quarantined();
      await daemon.stop();
      rmSync(rig.directory, { recursive: true });
      mkdirSync(rig.directory);
      rig.writeFile();
      let asked = 0;
      rig.proxy.interfere = ({ target }) => {
        if (!target.includes('/quarantine/')) return undefined;
        asked++;
        return answer;
      };
      daemon = await rig.start();
      await until('another try', async () => {
        rig.clock.advance(1_000);
        return asked > 1;
      });
      expect((await rig.mesh.access('orders'))?.web).toBeUndefined();
      expect(await record()).toBeDefined();
      rig.proxy.interfere = () => undefined;
      await until('the quarantine', async () => {
        rig.clock.advance(1_000);
        return (await daemon.status()).closures?.length === 1;
      });
      await daemon.idle();
      expect((await rig.mesh.access('orders'))?.web).toBeUndefined();
    },
  );

  it('that somebody deleted or changed ends nothing, and is written again', async () => {
    await running();
    await quarantined();
    const before = await record();
    const isRepairedAfter = async (change: () => Promise<unknown>) => {
      await change();
      await sweep();
      expect((await record())?.[0]?.Value).toBe(before?.[0]?.Value);
      expect((await rig.mesh.access('orders'))?.web).toBeUndefined();
    };
    await isRepairedAfter(() => rig.mesh.request('DELETE', KEY));
    await isRepairedAfter(() => rig.mesh.request('PUT', KEY, { at: '2000-01-01T00:00:00Z' }));
    expect(await about(CLIENT)).toHaveLength(1);
  });

  it('that another party wrote closes the client', async () => {
    await running();
    await rig.mesh.request('PUT', KEY, 'no instants');
    await sweep();
    await isClosed(rig);
    await rig.decided({ type: 'dev.scopemesh.client.quarantined', subject: CLIENT });
  });

  it('that was left by an interrupted release does not close the client again', async () => {
    await running();
    await quarantined();
    const [left] = (await record()) ?? [];
    await release();
    await isOpen(rig, READ);
    await isForgotten();
    await daemon.stop();
    const value: unknown = JSON.parse(Buffer.from(left?.Value ?? '', 'base64').toString());
    await rig.mesh.request('PUT', KEY, value);
    daemon = await rig.start();
    await isForgotten();
    await daemon.idle();
    expect((await rig.mesh.access('orders'))?.web).toBe(READ);
    expect(await about(CLIENT)).toHaveLength(2);
  });

  it('is not needed: without the permission to write it the store keeps the quarantine, and a metric shows it', async () => {
    await running({
      prepare: async ({ mesh, writeFile, proxy }) => {
        const token = await mesh.tokenWith(
          'service_prefix "" { policy = "read" intentions = "write" } node_prefix "" { policy = "read" } agent_prefix "" { policy = "read" } session_prefix "" { policy = "write" } key_prefix "scopemesh/payments/" { policy = "write" } key_prefix "scopemesh/payments/quarantine/" { policy = "deny" }',
        );
        writeFile({ consul: { address: proxy.address, token } });
      },
    });
    await daemon.tell('client.secret-compromised', 'web-app');
    await isClosed(rig);
    await daemon.idle();
    expect(await daemon.metric('scopemesh_quarantines_unrecorded')).toBe(1);
    expect(
      rig.logs.some((line) => line.includes('could not be written to Consul') && line.includes('key:write')),
    ).toBe(true);
    await sweep();
    expect((await rig.mesh.access('orders'))?.web).toBeUndefined();
    expect(await daemon.metric('scopemesh_quarantines')).toBe(1);
  });
});

describe('a release in another process', () => {
  it('is carried out by the process that has the quarantine in memory, without a restart', async () => {
    rig = await ordersRig();
    const worker = await startWorker(rig);
    await isOpen(rig, READ);
    await worker.add({ kind: 'client', provider: 'main', by: 'clientId', value: 'web-app' }, 'webhook', {
      urgent: true,
      order: {
        kind: 'secret-compromised',
        provider: 'main',
        clientId: 'web-app',
        at: new Date(rig.clock.now()).toISOString(),
        cause: { kind: 'webhook', receivedAt: new Date(rig.clock.now()).toISOString() },
      },
    });
    await isClosed(rig);
    await worker.idle();
    // The processes share the store, and nothing else.
    const world = createWorld(await rig.load());
    const other = createRulings({ ...worker.deps, world, queue: worker.inbox });
    const released = await other.release({ provider: 'main', clientId: 'web-app' }, { id: 'alice' });
    expect(released.kind).toBe('ruled');
    await isOpen(rig, READ);
    await worker.idle();
    expect(worker.deps.world.clientBlock({ provider: 'main', clientId: 'web-app' })).toBeUndefined();
    await worker.stop();
  });
});
