import { expect, it } from 'vitest';
import { SyncError } from '../../src/errors.js';
import { clientKey, destinationKey, formatKey, type Key } from '../../src/model/key.js';
import { adoptRequested } from '../../src/operator/adopt-requested.js';
import { notes } from '../lease/lease-rig.js';
import { ALLOW, entry, NOW, source } from '../plan/scene.js';
import { depsOf, worldWithTwo } from '../reconcile/deps.js';
import { createMovableClock } from '../support/movable-clock.js';

const [NEVER, ALICE] = [new AbortController().signal, { id: 'os:alice' }];
const ORDERS = destinationKey('orders');

/** People who wait for the adoption of these subjects at a key. */
function start() {
  const found = entry('orders', source('web', ALLOW), source('api', ALLOW));
  const world = worldWithTwo();
  world.putEntries([{ ...found, modifyIndex: 8 }], NOW);
  const all = depsOf(world, {});
  const { logger, logged } = notes();
  const intentions = {
    ...all.deps.consul.intentions,
    read: async () => found,
    write: async () => ({ kind: 'written' as const, modifyIndex: 9 }),
  };
  const deps = { ...all.deps, logger, consul: { ...all.deps.consul, intentions } };
  const clock = createMovableClock();
  const ask = (key: Key, ...subjects: readonly string[]) =>
    deps.adoptions.ask({ key, subjects: new Set(subjects), by: ALICE }, async () => {}, clock);
  return { ...all, deps, logged, ask, intentions };
}

it('no adoption waits forever when its job ends before its turn', async () => {
  const { deps, ask } = start();
  const key = clientKey('main', 'web');
  const asked = ['a', 'b'].map((subject) => ask(key, subject));
  const refused = Promise.all(asked.map((each) => expect(each).rejects.toThrow('the lease is lost')));
  const lost = AbortSignal.abort(new Error('the lease is lost'));
  await expect(adoptRequested(key, deps, lost)).rejects.toThrow('the lease is lost');
  await refused;
  expect(deps.adoptions.take(formatKey(key))).toEqual([]);
});

it('adopts in its turn what was asked for, and nothing else, and plans its key again', async () => {
  const { deps, ask, added, decisions } = start();
  const asked = [
    ask(ORDERS, 'intention/default/default/orders/web', 'intention/default/default/orders/nobody'),
    ask(ORDERS, 'intention/default/default/orders/nobody'),
  ];
  await adoptRequested(ORDERS, deps, NEVER);
  expect(await Promise.all(asked)).toEqual([1, 0]);
  const cause = { kind: 'command', receivedAt: new Date(NOW).toISOString(), principal: ALICE };
  expect(added).toEqual([{ key: ORDERS, cause }]);
  expect(decisions).toMatchObject([
    {
      subject: 'intention/default/default/orders/web',
      reason: 'Adopted',
      principal: ALICE,
      outcome: 'applied',
    },
  ]);
});

it('adopts nothing at a destination without an entry, or of a client without objects of ours', async () => {
  const { deps, ask, added } = start();
  for (const key of [destinationKey('billing'), destinationKey('orders', 'team'), clientKey('main', 'web')]) {
    const asked = ask(key, 'intention/default/default/orders/web');
    await adoptRequested(key, deps, NEVER);
    expect(await asked).toBe(0);
  }
  expect(added).toEqual([]);
});

it('tells the person why an adoption failed, and goes on with the next one', async () => {
  const { deps, ask, logged, intentions, added } = start();
  const away = new SyncError('ERR_CONSUL_UNREACHABLE', 'Consul is away', { retriable: true });
  const { read } = intentions;
  let reads = 0;
  intentions.read = () => (++reads === 1 ? Promise.reject(away) : read());
  const subject = 'intention/default/default/orders/web';
  const [first, second] = [ask(ORDERS, subject), ask(ORDERS, subject)];
  const refused = expect(first).rejects.toBe(away);
  await adoptRequested(ORDERS, deps, NEVER);
  await refused;
  expect(await second).toBe(1);
  expect(added).toHaveLength(1);
  expect(logged[0]).toEqual({
    key: formatKey(ORDERS),
    error: 'Consul is away',
    message: 'an adoption failed',
  });
});
