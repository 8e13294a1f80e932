import { afterEach, expect, it } from 'vitest';
import { SyncError } from '../../../src/errors.js';
import { clientKey } from '../../../src/model/key.js';
import { clientOf, type Rig } from '../../support/daemon.js';
import { isOpen, ordersRig, READ } from '../../support/orders-rig.js';
import { startWorker, type Worker, withIntentions } from '../../support/reconcile-rig.js';
import { until } from '../../support/until.js';

let rig: Rig;
let worker: Worker;
afterEach(async () => {
  await worker.stop();
  await rig.close();
});

it('an edge that Consul always refuses is tried again without another read of the clients at its destination', async () => {
  rig = await ordersRig({ clients: [clientOf('web', 'orders:read'), clientOf('other', 'orders:read')] });
  let refused = 0;
  let isBroken = true;
  worker = await startWorker(rig, (consul) =>
    withIntentions(consul, ({ write }) => ({
      write: async (...args) => {
        const [, , sources] = args;
        if (!isBroken || !sources.some(({ name }) => name === 'web')) return write(...args);
        refused++;
        throw new SyncError('ERR_CONSUL_REJECTED', 'Consul refuses this source', { retriable: false });
      },
    })),
  );
  await isOpen(rig, READ, 'other');
  const reads: string[] = [];
  rig.idp.fault = (path) => {
    reads.push(path);
    return undefined;
  };
  for (const id of ['web-app', 'other-app']) await worker.add(clientKey('main', id), 'webhook');
  await until('both reads', () => reads.length === 2);
  for (let tries = 0; tries < 6; tries++) {
    const before = refused;
    await until('the next try', () => {
      rig.clock.advance(1_000);
      return refused > before;
    });
  }
  expect(reads).toHaveLength(2);
  isBroken = false;
  await until('the edge', async () => {
    rig.clock.advance(1_000);
    return (await rig.mesh.access('orders'))?.web === READ;
  });
  await worker.idle();
  expect((await worker.store.queue.state()).waiting).toBe(0);
});
