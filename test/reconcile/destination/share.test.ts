import { afterEach, expect, it } from 'vitest';
import { destinationKey, formatKey, providerKey } from '../../../src/model/key.js';
import { toLastAppliedText } from '../../../src/plan/last-applied.js';
import { intentionSubject } from '../../../src/plan/plan.js';
import { clientOf, type Rig } from '../../support/daemon.js';
import { ordersRig } from '../../support/orders-rig.js';
import { startWorker, type Worker } from '../../support/reconcile-rig.js';

let rig: Rig;
let worker: Worker;
afterEach(async () => {
  await worker.stop();
  await rig.close();
});

const EVIL = destinationKey('evil', 'default', 'default');
const NAMES = ['s0', 's1', 's2', 's3', 's4'];

/** Twelve sources of one destination, which scopemesh wrote: their clients are gone. */
const MARKED = Array.from({ length: 12 }, (_, at) => ({
  Name: `ghost-${at}`,
  Action: 'allow',
  Description: `scopemesh:payments client=main/ghost-${at}`,
}));

it('the sources of one destination use up half of the limit at most', async () => {
  rig = await ordersRig({
    clients: [clientOf('other', 'orders:read'), ...NAMES.map((name) => clientOf(name, 'orders:read'))],
    prepare: async ({ mesh }) => {
      for (const name of NAMES) await mesh.register(name, { client: `${name}-app` });
    },
  });
  worker = await startWorker(rig);
  await worker.idle();
  const written = MARKED.map(({ Name }): [string, string] => [
    intentionSubject({ partition: 'default', namespace: 'default', name: 'evil' }, Name),
    toLastAppliedText({ kind: 'allow' }, []),
  ]);
  await worker.deps.journal.settle(formatKey(EVIL), [], { lastApplied: new Map(written) });
  await rig.mesh.request('PUT', '/v1/config', {
    Kind: 'service-intentions',
    Name: 'evil',
    Sources: MARKED,
  });
  await worker.stop();
  worker = await startWorker(rig);
  await worker.idle();
  await worker.add(EVIL);
  for (const name of NAMES) rig.idp.clients.delete(`${name}-app`);
  await worker.add(providerKey('main'), 'full-read', { fullRead: true });
  await worker.idle();

  const { holds } = await worker.store.journal.overview();
  const held = holds.filter(({ reason }) => reason === 'RevocationLimit');
  expect(held.map(({ subject }) => subject.split('/').at(-2))).toEqual(MARKED.map(() => 'evil'));
  expect(held[0]?.detail).toContain('more than 5 edges of one destination would lose access');
  expect(held[0]?.detail).toContain('one destination may use 5 of the limit of 10');
  const access = Object.keys((await rig.mesh.access('orders')) ?? {});
  expect(NAMES.filter((name) => access.includes(name))).toEqual([]);
});
