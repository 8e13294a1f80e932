import { describe, expect, test } from 'vitest';
import { clientKey } from '../../src/model/key.js';
import type { RevocationOrder } from '../../src/model/order.js';
import type { Job } from '../../src/model/trigger.js';
import { reconcileClient } from '../../src/reconcile/client.js';
import { restoreClosures, takeOrders } from '../../src/reconcile/closures.js';
import { NOW } from '../plan/scene.js';
import { depsOf, UNREACHABLE, worldWithTwo } from './deps.js';

function compromised(clientId: string): Job {
  const cause = { kind: 'order' as const, receivedAt: new Date(NOW).toISOString() };
  const order: RevocationOrder = {
    kind: 'secret-compromised',
    provider: 'main',
    clientId,
    at: cause.receivedAt,
    cause,
  };
  const key = clientKey('main', clientId);
  return { key, triggers: [{ key, cause, order }], attempts: 0 };
}

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
    expect(world.closure({ provider: 'main', clientId: 'web' })).toBe('ClientQuarantined');
  });

  test('outlives a restart, for each of several clients whose jobs run at once', async () => {
    const { deps } = depsOf(worldWithTwo(), {});
    const ids = ['web', 'api'].map((clientId) => ({ provider: 'main', clientId }));
    await Promise.all(ids.map((id) => takeOrders(id, compromised(id.clientId), deps)));
    const restarted = worldWithTwo();
    await restoreClosures({ facts: deps.facts, world: restarted });
    expect(ids.map((id) => restarted.closure(id))).toEqual(['ClientQuarantined', 'ClientQuarantined']);
  });
});
