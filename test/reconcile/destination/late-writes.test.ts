import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Consul } from '../../../src/consul/consul.js';
import { SyncError } from '../../../src/errors.js';
import { clientKey } from '../../../src/model/key.js';
import type { Rig } from '../../support/daemon.js';
import { Death } from '../../support/death.js';
import { BOTH, EDGE, isClosed, isOpen, ordersRig, READ } from '../../support/orders-rig.js';
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

/** Longer than any request is on its way. */
const OVER_MS = 60_000;

const edges = async () =>
  (await worker.settled())
    .filter(({ subject }) => subject === EDGE)
    .map(({ action, outcome, reason }) => `${action} ${outcome} ${reason}`);

/**
 * The first write of intentions is on its way until `timeOut`, and has no answer then. `arrive` lets it reach Consul
 * after all.
 */
function delayedFirst(beforeSecond: () => Promise<void> = async () => {}) {
  const late = { timeOut: () => {}, arrive: async () => {}, writes: 0 };
  const timedOut = new Promise<void>((resolve) => {
    late.timeOut = resolve;
  });
  const wrap = (consul: Consul) =>
    withIntentions(consul, ({ write }) => ({
      write: async (...args) => {
        late.writes += 1;
        if (late.writes === 1) {
          const [destination, current, sources, index] = args;
          const never = new AbortController().signal;
          late.arrive = async () => void (await write(destination, current, sources, index, never));
          await timedOut;
          throw new SyncError('ERR_TIMEOUT', 'no whole answer within 10000 ms', { retriable: true });
        }
        if (late.writes === 2) await beforeSecond();
        return write(...args);
      },
    }));
  return { late, wrap };
}

/** While the first write is on its way, the client's scopes change; then it times out. */
async function changeMeanwhile(late: ReturnType<typeof delayedFirst>['late'], ...scopes: readonly string[]) {
  await until('the first write', () => late.writes === 1);
  rig.idp.put('web-app', ...scopes);
  await worker.add(clientKey('main', 'web-app'), 'webhook', { urgent: true });
  const client = () => worker.deps.world.client({ provider: 'main', clientId: 'web-app' });
  await until('the change', () => client()?.grants.length === scopes.length);
  late.timeOut();
}

describe('a write of an edge whose answer is lost', () => {
  it('is applied if it arrives before the next one, which is then a conflict', async () => {
    const { late, wrap } = delayedFirst(() => late.arrive());
    worker = await startWorker(rig, wrap);
    await changeMeanwhile(late, 'orders:read', 'orders:write');
    await isOpen(rig, BOTH);
    await worker.idle();
    expect(await edges()).toEqual(['grant applied ScopeGranted', 'grant applied ScopeGranted']);
    expect((await worker.settled()).at(-1)).toMatchObject({ before: { access: 'http' } });
  });

  it('fails if it arrives after the next one, and changes nothing', async () => {
    const { late, wrap } = delayedFirst();
    worker = await startWorker(rig, wrap);
    await changeMeanwhile(late, 'orders:read', 'orders:write');
    await isOpen(rig, BOTH);
    await late.arrive();
    await worker.idle();
    expect(await edges()).toEqual(['grant failed Interrupted', 'grant applied ScopeGranted']);
    expect(await rig.mesh.access('orders')).toEqual({ web: BOTH });
  });

  it('is one of two equal ones, of which one alone is applied', async () => {
    const { late, wrap } = delayedFirst(() => late.arrive());
    late.timeOut();
    worker = await startWorker(rig, wrap);
    await until('the second write', () => late.writes === 2);
    await worker.idle();
    expect(await edges()).toEqual(['grant failed Interrupted', 'grant applied ScopeGranted']);
  });

  it('is found and closed if it arrives when its access is no longer wanted', async () => {
    const { late, wrap } = delayedFirst();
    worker = await startWorker(rig, wrap);
    await changeMeanwhile(late);
    rig.clock.advance(5_000);
    await until('a plan without changes', async () => {
      const { waiting, active } = worker.agenda.state();
      return waiting + active === 0;
    });
    expect(await edges()).toEqual([]);
    await late.arrive();
    rig.clock.advance(OVER_MS);
    await isClosed(rig);
    await worker.idle();
    expect(await edges()).toEqual(['grant applied ScopeGranted', 'revoke applied ScopeRevoked']);
  });

  it('is applied if it arrives while a removal asks what Consul has', async () => {
    worker = await startWorker(rig);
    await isOpen(rig, READ);
    await worker.idle();
    await worker.stop();
    rig.idp.put('web-app', 'orders:read', 'orders:write');
    const { late, wrap } = delayedFirst();
    let reads = 0;
    worker = await startWorker(rig, (consul) =>
      withIntentions(wrap(consul), ({ read }) => ({
        read: async (...args) => {
          // The first read is for the pending decision, and the second one for the removal.
          if (late.writes > 0 && args[0].name === 'orders' && ++reads === 2) await late.arrive();
          return read(...args);
        },
      })),
    );
    await changeMeanwhile(late);
    await isClosed(rig);
    await worker.idle();
    expect(reads).toBeGreaterThan(1);
    expect((await edges()).slice(1)).toEqual(['grant applied ScopeGranted', 'revoke applied ScopeRevoked']);
  });

  it('fails if it does not arrive in time, and needs no other trigger for that', async () => {
    const { late, wrap } = delayedFirst();
    worker = await startWorker(rig, wrap);
    await changeMeanwhile(late);
    await worker.idle();
    expect(await edges()).toEqual([]);
    rig.clock.advance(OVER_MS);
    await until('the settlement', async () => (await edges()).length > 0);
    expect(await edges()).toEqual(['grant failed Interrupted']);
    expect(late.writes).toBe(1);
  });

  it('counts once for the mass guard, if it is an inferred removal', async () => {
    worker = await startWorker(rig);
    await isOpen(rig, READ);
    await worker.idle();
    await worker.stop();
    rig.idp.clients.delete('web-app');
    let deletions = 0;
    worker = await startWorker(rig, (consul) =>
      withIntentions(consul, ({ delete: remove }) => ({
        delete: (...args) => {
          if (++deletions > 1) return remove(...args);
          throw new SyncError('ERR_TIMEOUT', 'no whole answer within 10000 ms', { retriable: true });
        },
      })),
    );
    await isClosed(rig);
    await worker.idle();
    expect((await edges()).slice(1)).toEqual(['revoke failed Interrupted', 'revoke applied ClientDeleted']);
    expect(worker.deps.window.used(rig.clock.now())).toBe(1);
  });

  it('is one of two that a kill left open, of which one alone is applied', async () => {
    const { late, wrap } = delayedFirst();
    late.timeOut();
    const death = new Death(2, 'after');
    worker = await startWorker(rig, (consul) =>
      withIntentions(wrap(consul), ({ write }) => ({ write: death.of(write) })),
    );
    await until('the death', () => death.hasCome);
    expect(late.writes).toBe(2);
    await death.bury(worker);
    worker = await startWorker(rig);
    await until('the settlement', async () => (await edges()).length > 0);
    await worker.idle();
    expect(await edges()).toEqual(['grant failed Interrupted', 'grant applied ScopeGranted']);
  });
});
