import { describe, expect, test } from 'vitest';
import { noteRecords } from '../../../src/apply/edge-records.js';
import { clientKey } from '../../../src/model/key.js';
import type { RevocationOrder } from '../../../src/model/order.js';
import type { Job } from '../../../src/model/trigger.js';
import {
  decideRelease,
  releaseIfDecided,
  releaseIfRotated,
  restoreQuarantines,
  takeOrders,
} from '../../../src/operator/quarantines.js';
import { planDestination } from '../../../src/plan/plan-destination.js';
import { reconcileClient } from '../../../src/reconcile/client.js';
import type { ReconcilerDeps } from '../../../src/reconcile/deps.js';
import { blockUnconfirmed } from '../../../src/reconcile/read-client.js';
import { inputOf } from '../../../src/state/fleet.js';
import { client, NOW, named } from '../../plan/scene.js';
import { depsOf, UNREACHABLE, worldWithTwo } from '../deps.js';

/** A job of one client, with an order received so long after `NOW`, about a moment so long after it. */
function ordered(kind: RevocationOrder['kind'], clientId: string, receivedMs = 0, atMs = receivedMs): Job {
  const instant = (ms: number) => new Date(NOW + ms).toISOString();
  const cause = { kind: 'order' as const, receivedAt: instant(receivedMs) };
  const order: RevocationOrder = { kind, provider: 'main', clientId, at: instant(atMs), cause };
  const key = clientKey('main', clientId);
  return { key, triggers: [{ key, cause, order }], attempts: 0 };
}

const CAUSE = { kind: 'webhook', receivedAt: new Date(NOW).toISOString() } as const;

const compromised = (clientId: string, receivedMs?: number, atMs?: number) =>
  ordered('secret-compromised', clientId, receivedMs, atMs);

describe('an order about a compromised secret', () => {
  test('closes the client before its directory is asked, and also if that never answers', async () => {
    const world = worldWithTwo();
    const before: number[] = [];
    const { deps, added } = depsOf(world, {
      read: async () => {
        before.push(added.length);
        throw UNREACHABLE;
      },
    });
    const key = { kind: 'client', provider: 'main', by: 'clientId', value: 'web' } as const;
    const result = await reconcileClient(key, compromised('web'), deps, AbortSignal.timeout(5_000));
    expect(result.kind).toBe('retry');
    expect(before).toEqual([1]);
    expect(added[0]).toMatchObject({ key: { kind: 'destination', service: 'orders' }, urgent: true });
    expect(world.clientBlock({ provider: 'main', clientId: 'web' })).toBe('ClientQuarantined');
  });

  test('closes the client although the store refuses the record of the quarantine, and is tried again', async () => {
    const world = worldWithTwo();
    const { deps, added } = depsOf(world, {});
    const full = new Error('no space');
    const refusing = { ...deps, journal: { ...deps.journal, settle: () => Promise.reject(full) } };
    const key = { kind: 'client', provider: 'main', by: 'clientId', value: 'web' } as const;
    await expect(reconcileClient(key, compromised('web'), refusing, AbortSignal.timeout(5_000))).rejects.toBe(
      full,
    );
    expect(world.clientBlock({ provider: 'main', clientId: 'web' })).toBe('ClientQuarantined');
    expect(added[0]).toMatchObject({ key: { kind: 'destination', service: 'orders' }, urgent: true });
  });

  test('removes the edges of the client after a loss of the store, although it came before the first read', async () => {
    const world = worldWithTwo();
    world.setUnrecorded(undefined);
    world.setClientBlock({ provider: 'main', clientId: 'web' }, 'ClientQuarantined');
    expect(noteRecords(world, NOW)).toEqual([named('orders')]);
    const { changes } = planDestination(inputOf(world, named('orders'), NOW));
    expect(changes).toMatchObject([{ action: 'revoke', reason: 'ClientQuarantined' }]);
    // Otherwise the removal waits for a person.
    expect(changes.some(({ isUnrecorded }) => isUnrecorded === true)).toBe(false);
  });

  test('outlives a restart, for each of several clients whose jobs run at once', async () => {
    const { deps } = depsOf(worldWithTwo(), {});
    const ids = ['web', 'api'].map((clientId) => ({ provider: 'main', clientId }));
    await Promise.all(ids.map((id) => takeOrders(id, compromised(id.clientId), deps)));
    const restarted = worldWithTwo();
    await restoreQuarantines({ ...deps, world: restarted });
    expect(ids.map((id) => restarted.clientBlock(id))).toEqual(['ClientQuarantined', 'ClientQuarantined']);
  });

  test('closes the client no more once a person released it, over restarts, until the next report', async () => {
    const world = worldWithTwo();
    const { deps } = depsOf(world, { read: () => Promise.reject(UNREACHABLE) });
    const id = { provider: 'main', clientId: 'web' };
    const key = { kind: 'client', provider: 'main', by: 'clientId', value: 'web' } as const;
    const attempt = (job: Job, at = deps) => reconcileClient(key, job, at, AbortSignal.timeout(5_000));
    await attempt(compromised('web'));
    expect(await decideRelease(id, { id: 'alice' }, deps)).toBe(true);
    expect((await attempt(compromised('web'))).kind).toBe('retry');
    expect(world.clientBlock(id)).toBeUndefined();

    const restarted = worldWithTwo();
    await restoreQuarantines({ ...deps, world: restarted });
    const later = { ...deps, world: restarted };
    await attempt(compromised('web'), later);
    expect(restarted.clientBlock(id)).toBeUndefined();
    // Another report, though of an earlier moment than the one that was released.
    await attempt(compromised('web', 5_000, -60_000), later);
    expect(restarted.clientBlock(id)).toBe('ClientQuarantined');
  });

  test('does not close the client again whose secret was seen rotated, where its job is tried once more', async () => {
    const world = worldWithTwo();
    const rotated = { ...client('web', ['orders']), secretCreatedAt: new Date(NOW + 1_000).toISOString() };
    const { deps } = depsOf(world, { read: async () => rotated });
    const id = { provider: 'main', clientId: 'web' };
    await takeOrders(id, compromised('web'), deps);
    await releaseIfRotated(id, rotated, CAUSE, deps);
    await takeOrders(id, compromised('web'), deps);
    expect(world.clientBlock(id)).toBeUndefined();
  });
});

describe('the decisions about a quarantine', () => {
  const id = { provider: 'main', clientId: 'web' };
  const types = (decisions: readonly { readonly type: string; readonly outcome: string }[]) =>
    decisions.map(({ type, outcome }) => `${type.split('.').at(-1)} ${outcome}`);
  /** Ports that fail from the given call on, as those of a process that is killed. */
  function dying(deps: ReconcilerDeps, calls: number): ReconcilerDeps {
    let left = calls;
    const step =
      <A extends unknown[], R>(call: (...args: A) => Promise<R>) =>
      async (...args: A): Promise<R> => {
        if (left-- <= 0) throw new Error('killed');
        return call(...args);
      };
    return {
      ...deps,
      world: worldWithTwo(),
      journal: { ...deps.journal, record: step(deps.journal.record), settle: step(deps.journal.settle) },
      keyValues: { ...deps.keyValues, set: step(deps.keyValues.set) },
    };
  }
  /** Runs it until it is not killed, each time a step further. */
  async function survive(
    deps: ReconcilerDeps,
    run: (deps: ReconcilerDeps) => Promise<unknown>,
  ): Promise<number> {
    for (let calls = 0; ; calls++) {
      const process = dying(deps, calls);
      try {
        await restoreQuarantines(process);
        await run(process);
        return calls;
      } catch (error) {
        expect(error).toEqual(new Error('killed'));
      }
    }
  }

  test('are one for the order and one for the release, wherever the process is killed', async () => {
    const { deps, decisions } = depsOf(worldWithTwo(), {});
    const taking = await survive(deps, (process) => takeOrders(id, compromised('web'), process));
    expect(taking).toBeGreaterThan(0);
    expect(types(decisions)).toEqual(['quarantined applied']);
    await decideRelease(id, { id: 'alice' }, deps);
    const ending = await survive(deps, async (process) => {
      await releaseIfDecided(id, process);
      expect(process.world.clientBlock(id)).toBeUndefined();
    });
    expect(ending).toBeGreaterThan(0);
    expect(types(decisions)).toEqual(['quarantined applied', 'released applied']);
    await takeOrders(id, compromised('web'), deps);
    expect(types(decisions)).toHaveLength(2);
  });

  test('of a person do not end a quarantine whose newer report that person did not know', async () => {
    const world = worldWithTwo();
    const { deps, decisions } = depsOf(world, {});
    await takeOrders(id, compromised('web'), deps);
    await decideRelease(id, { id: 'alice' }, deps);
    await takeOrders(id, compromised('web', 5_000), deps);
    expect(await releaseIfDecided(id, deps)).toBe(false);
    expect(world.clientBlock(id)).toBe('ClientQuarantined');
    expect(types(decisions)).toEqual(['quarantined applied']);
  });
});

describe('a secret', () => {
  test.each([
    ['made before the report leaves the client closed', -1, 'ClientQuarantined'],
    ['made at the very instant of the report leaves the client closed', 0, 'ClientQuarantined'],
    ['made after the report opens the client', 1, undefined],
  ] as const)('%s', async (_, madeMs, closure) => {
    const world = worldWithTwo();
    const { deps } = depsOf(world, {});
    const id = { provider: 'main', clientId: 'web' };
    await takeOrders(id, compromised('web'), deps);
    const secretCreatedAt = new Date(NOW + madeMs).toISOString();
    await releaseIfRotated(id, { ...client('web', []), secretCreatedAt }, CAUSE, deps);
    expect(world.clientBlock(id)).toBe(closure);
  });
});

describe('an order before the first complete read', () => {
  test.each([
    ['client-deleted', 'is not there', undefined, 'RevocationUnconfirmed'],
    ['client-disabled', 'is disabled', { enabled: false }, 'RevocationUnconfirmed'],
    ['client-deleted', 'is there', {}, undefined],
  ] as const)(
    '%s closes the client where the read of it alone says that it %s',
    async (kind, _, shown, closure) => {
      const world = worldWithTwo();
      world.forgetDirectory('main');
      const { deps, added } = depsOf(world, { read: async () => shown && client('web', ['orders'], shown) });
      const nothing = { pending: [], lastApplied: new Map(), holds: new Map() };
      const journal = { ...deps.journal, read: async () => nothing };
      const key = { kind: 'client', provider: 'main', by: 'clientId', value: 'web' } as const;
      const job = ordered(kind, 'web', -6_000);
      const result = await reconcileClient(key, job, { ...deps, journal }, AbortSignal.timeout(5_000));
      expect(world.clientBlock({ provider: 'main', clientId: 'web' })).toBe(closure);
      if (closure === undefined) return;
      expect(result.kind).toBe('retry');
      expect(added).toMatchObject([{ key: { kind: 'destination', service: 'orders' }, urgent: true }]);
    },
  );
});

describe('an order about a disabled client', () => {
  test.each([
    ['was received five seconds ago', -5_000, 'RevocationUnconfirmed'],
    ['was received just now, by a clock that is a little ahead', 1_000, undefined],
    ['was received before the clock was set back by an hour', 3_600_000, 'RevocationUnconfirmed'],
  ])('that %s closes it while its directory cannot be read: %s ms, %s', async (_, receivedMs, closure) => {
    const world = worldWithTwo();
    const { deps } = depsOf(world, {});
    const id = { provider: 'main', clientId: 'web' };
    const job = ordered('client-disabled', 'web', receivedMs);
    expect(await blockUnconfirmed(id, job, 'ERR_DIRECTORY_UNREACHABLE', deps)).toBe(closure !== undefined);
    expect(world.clientBlock(id)).toBe(closure);
  });

  test('is not counted where the count cannot be stored, however often it is tried again', async () => {
    const world = worldWithTwo();
    const { deps } = depsOf(world, {});
    const failing = { ...deps.keyValues, set: () => Promise.reject(UNREACHABLE) };
    const close = (keyValues = failing) =>
      blockUnconfirmed(
        { provider: 'main', clientId: 'web' },
        ordered('client-disabled', 'web', -5_000),
        'ERR_DIRECTORY_UNREACHABLE',
        { ...deps, keyValues },
      );
    for (let attempt = 1; attempt <= 3; attempt++) await expect(close()).rejects.toThrow(UNREACHABLE);
    expect(deps.window.used(NOW)).toBe(0);
  });

  test('waits while inferred removals up to the limit are under way, and after them', async () => {
    const world = worldWithTwo();
    world.setMapping({ ...world.mapping, maxRevocations: { percent: 0, atLeast: 1, windowMs: 1_000 } });
    const { deps } = depsOf(world, {});
    const id = { provider: 'main', clientId: 'web' };
    const close = () =>
      blockUnconfirmed(id, ordered('client-disabled', 'web', -5_000), 'ERR_DIRECTORY_UNREACHABLE', deps);
    const api = 'intention/default/default/orders/api';
    deps.window.reserveEdge(api, NOW);
    expect(await close()).toBe(false);
    deps.window.confirmEdge(api);
    expect(await close()).toBe(false);
    expect(world.clientBlock(id)).toBeUndefined();
    deps.window.restore('[]');
    expect(await close()).toBe(true);
    expect(deps.window.used(NOW)).toBe(1);
  });
});
