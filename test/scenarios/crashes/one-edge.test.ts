import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ClaimWrite, Consul } from '../../../src/consul/consul.js';
import { clientKey, destinationKey } from '../../../src/model/key.js';
import { clientOf, type Rig } from '../../support/daemon.js';
import { Death } from '../../support/death.js';
import { EDGE, isOpen, ordersRig, READ } from '../../support/orders-rig.js';
import { startWorker, type Worker, withIntentions } from '../../support/reconcile-rig.js';
import { until } from '../../support/until.js';

let rig: Rig;
let worker: Worker;
beforeEach(async () => {
  rig = await ordersRig();
});
afterEach(async () => {
  await worker.stop();
  await rig.close();
});

const FOREIGN = { Name: 'legacy', Action: 'allow', Description: 'made by hand' };

/** Dies at the first write of intentions. */
const killedBy = (death: Death) => (consul: Consul) =>
  withIntentions(consul, ({ write, delete: remove }) => ({
    write: death.of(write),
    delete: death.of(remove),
  }));

const edges = async () =>
  (await worker.settled())
    .filter(({ subject }) => subject === EDGE)
    .map(({ action, outcome, reason }) => `${action} ${outcome} ${reason}`);

async function killed(when: 'before' | 'after'): Promise<void> {
  const death = new Death(1, when);
  worker = await startWorker(rig, killedBy(death));
  await until('the death', () => death.hasCome);
  await death.bury(worker);
}

describe('a process that is killed', () => {
  it('between the record and the write leaves a decision that says so, and the write is made by the next', async () => {
    await killed('before');
    worker = await startWorker(rig);
    await isOpen(rig, READ);
    await worker.idle();
    expect(await edges()).toEqual(['grant failed Interrupted', 'grant applied ScopeGranted']);
    expect(rig.proxy.writes).toHaveLength(1);
  });

  it('between the write and the settlement leaves a decision that the next one finds applied', async () => {
    await killed('after');
    worker = await startWorker(rig);
    await until('the decision', async () => (await edges()).length > 0);
    await worker.idle();
    expect(await edges()).toEqual(['grant applied ScopeGranted']);
    expect(rig.proxy.writes).toHaveLength(1);
  });

  it('leaves an unknown outcome if another writer undid the write before the next process', async () => {
    await killed('after');
    await rig.mesh.write('orders', [FOREIGN]);
    worker = await startWorker(rig);
    await isOpen(rig, READ);
    await worker.idle();
    const [first, ...rest] = await edges();
    expect(first).toBe('grant unknown Interrupted');
    expect(rest).toHaveLength(1);
    expect(await rig.mesh.access('orders')).toEqual({ legacy: 'allow', web: READ });
  });

  it('in the middle of a revocation is found out, and the scopes of what is left are remembered', async () => {
    rig.idp.put('web-app', 'orders:read', 'orders:write');
    worker = await startWorker(rig);
    await until('the grant', async () => (await edges()).length === 1);
    await worker.stop();
    rig.idp.put('web-app', 'orders:read');
    await killed('after');
    worker = await startWorker(rig);
    await until('the settlement', async () => (await edges()).length === 2);
    await worker.idle();
    expect((await edges()).at(-1)).toBe('revoke applied ScopeRevoked');
    rig.idp.put('web-app');
    await worker.add(clientKey('main', 'web-app'), 'webhook');
    await until('the last revocation', async () => (await edges()).length === 3);
    expect((await worker.settled()).at(-1)).toMatchObject({
      reason: 'ScopeRevoked',
      scopes: ['orders:read'],
    });
  });

  it('in the middle of the deletion of an entry is found out', async () => {
    worker = await startWorker(rig);
    await isOpen(rig, READ);
    await worker.idle();
    await worker.stop();
    rig.idp.put('web-app');
    await killed('after');
    worker = await startWorker(rig);
    await until('the settlement', async () => (await edges()).length === 2);
    await worker.idle();
    expect(await edges()).toEqual(['grant applied ScopeGranted', 'revoke applied ScopeRevoked']);
    expect(rig.proxy.writes).toHaveLength(2);
  });
});

describe('a write whose answer is lost', () => {
  it('is settled by the next run of its key, which comes without any new trigger', async () => {
    let cut = 0;
    rig.proxy.interfere = ({ method, target }) =>
      method === 'PUT' && target.startsWith('/v1/config') && cut++ === 0 ? 'cut' : undefined;
    worker = await startWorker(rig);
    await isOpen(rig, READ);
    await until('the decision', async () => (await edges()).length > 0);
    await worker.idle();
    expect(await edges()).toEqual(['grant applied ScopeGranted']);
    expect(rig.proxy.writes).toHaveLength(1);
  });
});

describe('somebody who writes at the same time', () => {
  it('keeps what they wrote, and ours is planned again', async () => {
    let rival = 0;
    worker = await startWorker(rig, (consul) =>
      withIntentions(consul, ({ write }) => ({
        write: async (...args) => {
          if (rival++ === 0) await rig.mesh.write('orders', [FOREIGN]);
          return write(...args);
        },
      })),
    );
    await isOpen(rig, READ);
    await worker.idle();
    expect(await edges()).toEqual(['grant applied ScopeGranted']);
    const entry = await rig.mesh.entry('orders');
    expect(entry?.Sources.find(({ Name }) => Name === 'legacy')).toMatchObject(FOREIGN);
  });

  it('does not use up the mass guard by making a removal try again', async () => {
    worker = await startWorker(rig);
    await isOpen(rig, READ);
    await worker.idle();
    await worker.stop();
    rig.idp.clients.delete('web-app');
    let rivals = 0;
    worker = await startWorker(rig, (consul) =>
      withIntentions(consul, ({ delete: remove, write }) => {
        const spoil = async () => {
          if (rivals++ > 3) return;
          const entry = await rig.mesh.entry('orders');
          await rig.mesh.write('orders', [
            ...(entry?.Sources ?? []).filter(({ Name }) => Name !== 'legacy'),
            { ...FOREIGN, Description: `round ${rivals}` },
          ]);
        };
        return {
          delete: (...args) => spoil().then(() => remove(...args)),
          write: (...args) => spoil().then(() => write(...args)),
        };
      }),
    );
    await until('the removal', async () => (await edges()).includes('revoke applied ClientDeleted'));
    await worker.idle();
    expect(rivals).toBeGreaterThan(3);
    expect(await edges()).toEqual(['grant applied ScopeGranted', 'revoke applied ClientDeleted']);
    expect(worker.deps.window.used(rig.clock.now())).toBe(1);
  });

  it('opens nothing by a wildcard that was not seen yet', async () => {
    worker = await startWorker(rig);
    await isOpen(rig, READ);
    await worker.idle();
    await rig.mesh.write('*', [{ Name: 'web', Action: 'allow' }]);
    rig.idp.put('web-app');
    await worker.add(clientKey('main', 'web-app'), 'webhook');
    await until('the revocation', async () => (await edges()).length === 2);
    expect(await edges()).toEqual(['grant applied ScopeGranted', 'revoke applied WildcardWouldAllow']);
    expect(await rig.mesh.access('orders')).toEqual({ web: 'deny' });
  });
});

describe('a job that was queued before an event', () => {
  it('names the event as the cause of what it already sees, with its evidence', async () => {
    let reading: (() => void) | undefined;
    let release: () => void = () => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    worker = await startWorker(rig, (consul) =>
      withIntentions(consul, ({ read }) => ({
        read: async (...args) => {
          const entry = await read(...args);
          if (args[0].name === 'orders' && reading !== undefined) {
            reading();
            await gate;
          }
          return entry;
        },
      })),
    );
    await isOpen(rig, READ);
    await worker.idle();
    const isReading = new Promise<void>((resolve) => {
      reading = resolve;
    });
    // As after a write of our own whose index the watch has not shown yet: the job reads the entry.
    const { world } = worker.deps;
    const orders = { partition: 'default', namespace: 'default', name: 'orders' };
    const known = world.entries.get('default/default/orders');
    if (known !== undefined) world.putEntry(orders, { ...known, modifyIndex: 0 });
    await worker.add(destinationKey('orders'), 'consul-watch');
    await isReading;
    rig.idp.clients.delete('web-app');
    const evidence = [{ provider: 'main', clients: ['web-app'] }];
    await worker.add(clientKey('main', 'web-app'), 'webhook', { evidence, urgent: true });
    await until(
      'the client',
      () => worker.deps.world.client({ provider: 'main', clientId: 'web-app' }) === undefined,
    );
    release();
    await until('the revocation', async () => (await edges()).length === 2);
    expect((await worker.settled()).at(-1)).toMatchObject({
      reason: 'ClientDeleted',
      cause: { kind: 'webhook' },
    });
    expect(worker.deps.window.used(rig.clock.now())).toBe(0);
    await worker.idle();
    expect(await edges()).toHaveLength(2);
  });
});

describe('a claim record', () => {
  it('that a kill left open is found made', async () => {
    rig.writeFile({ services: { claims: 'first' } });
    const death = new Death(1, 'after');
    worker = await startWorker(rig, (consul) => {
      const { list, write } = consul.claims;
      const last = death.of(write);
      const isLast = ({ record }: ClaimWrite) => record.clientId === 'web-app';
      return {
        ...withIntentions(consul, () => ({})),
        claims: {
          list,
          write: (writes, signal) => (writes.some(isLast) ? last(writes, signal) : write(writes, signal)),
        },
      };
    });
    await until('the death', () => death.hasCome);
    await death.bury(worker);
    rig.idp.clients.set('web-app', clientOf('web', 'orders:read'));
    worker = await startWorker(rig);
    await isOpen(rig, READ);
    await worker.idle();
    const claims = (await worker.settled()).filter(({ subject }) => subject === 'claim/main/web-app/web');
    expect(claims.map(({ outcome }) => outcome)).toEqual(['applied']);
  });
});
