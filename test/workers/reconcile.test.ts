import { afterEach, expect, it } from 'vitest';
import { SyncError } from '../../src/errors.js';
import { clientKey } from '../../src/model/key.js';
import { clientOf, type Rig } from '../support/daemon.js';
import { isOpen, ordersRig, READ } from '../support/orders-rig.js';
import { startWorker, type Worker, withIntentions } from '../support/reconcile-rig.js';
import { until } from '../support/until.js';

let rig: Rig;
let worker: Worker;
afterEach(async () => {
  await worker.stop();
  await rig.close();
});

it('a job that waits for the first complete list of Consul runs as soon as the list is there', async () => {
  rig = await ordersRig({ clients: [clientOf('web', 'orders:read')] });
  let isBroken = true;
  worker = await startWorker(rig, (consul) =>
    withIntentions(consul, (intentions) => ({
      list: (signal) =>
        isBroken
          ? Promise.reject(
              new SyncError('ERR_CONSUL_UNREACHABLE', 'the list ends early', { retriable: true }),
            )
          : intentions.list(signal),
    })),
  );
  const { store, deps } = worker;
  await worker.add(clientKey('main', 'web-app'), 'webhook', { urgent: true });
  await until('every job waits', async () => {
    const { waiting, active, delayed } = await store.queue.state();
    return deps.world.narrowsOnly && waiting + active === 0 && delayed === 2;
  });
  isBroken = false;
  const began = performance.now();
  await isOpen(rig, READ);
  // Otherwise each looks again ten seconds after its last look.
  expect(performance.now() - began).toBeLessThan(5_000);
});
