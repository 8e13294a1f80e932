import { describe, expect, test } from 'vitest';
import { SyncError } from '../../src/errors.js';
import type { Directory } from '../../src/identity/directory.js';
import { clientKey } from '../../src/model/key.js';
import type { RevocationOrder } from '../../src/model/order.js';
import type { Job, Trigger } from '../../src/model/trigger.js';
import { noMetrics, silentLogger } from '../../src/observe.js';
import type { Facts } from '../../src/queue/facts.js';
import { reconcileClient } from '../../src/reconcile/client.js';
import { restoreClosures, takeOrders } from '../../src/reconcile/closures.js';
import { Contention } from '../../src/reconcile/contention.js';
import type { ReconcilerDeps } from '../../src/reconcile/deps.js';
import { RevocationWindow } from '../../src/reconcile/revocation-window.js';
import { WorldState } from '../../src/reconcile/world-state.js';
import { ALLOW, claiming, client, entry, mapping, NOW, ourSource, rule, SETTINGS } from '../plan/scene.js';

const UNREACHABLE = new SyncError('ERR_DIRECTORY_UNREACHABLE', 'the directory does not answer', {
  retriable: true,
});

/** Facts that answer a turn later than they were asked, as a server would. */
function slowFacts(): Facts {
  const facts = new Map<string, string>();
  const later = () => new Promise<void>((resolve) => setImmediate(resolve));
  return {
    get: async (name) => {
      await later();
      return facts.get(name);
    },
    set: async (name, value) => {
      await later();
      facts.set(name, value);
    },
    has: async () => false,
    remember: async () => {},
  };
}

function worldWithTwo(): WorldState {
  const world = new WorldState(mapping({ rules: [rule('orders', 'orders')] }), SETTINGS);
  world.putDirectory('main', [client('web', ['orders']), client('api', ['orders'])], world.beginRead(), NOW);
  world.putEntries([entry('orders', ourSource('web', ALLOW), ourSource('api', ALLOW))], NOW);
  world.putCatalog(
    {
      services: [claiming('web', 'web'), claiming('api', 'api')],
      protocols: new Map(),
      defaultProtocol: 'http',
    },
    NOW,
  );
  return world;
}

function depsOf(world: WorldState, read: Directory['read']) {
  const added: Trigger[] = [];
  const refuse = () => Promise.reject(new Error('not to be called'));
  const directory: Directory = { provider: 'main', read, readAll: refuse, close: async () => {} };
  const deps: ReconcilerDeps = {
    consul: {
      intentions: { list: refuse, read: refuse, write: refuse, delete: refuse },
      claims: { list: refuse, create: refuse, delete: refuse },
      readCatalog: refuse,
      watch: refuse,
      inspect: refuse,
      readProxies: refuse,
      readAclToken: refuse,
      close: async () => {},
    },
    directories: new Map([['main', directory]]),
    queue: { add: async (triggers) => void added.push(...triggers) },
    journal: {
      read: refuse,
      record: refuse,
      settle: refuse,
      outbox: refuse,
      published: refuse,
      overview: refuse,
    },
    facts: slowFacts(),
    world,
    window: new RevocationWindow(1_000),
    contention: new Contention({ limit: 3, windowMs: 1_000 }),
    clock: { now: () => NOW, sleep: async () => {} },
    logger: silentLogger,
    metrics: noMetrics,
    source: 'scopemesh/pay/test',
    newId: () => 'id',
    onSettled: () => {},
  };
  return { deps, added };
}

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
    const { deps, added } = depsOf(world, async () => {
      before.push(added.length);
      throw UNREACHABLE;
    });
    const key = { kind: 'client', provider: 'main', by: 'clientId', value: 'web' } as const;
    const result = await reconcileClient(key, compromised('web'), deps, AbortSignal.timeout(5_000));
    expect(result.kind).toBe('retry');
    expect(before).toEqual([1]);
    expect(added[0]).toMatchObject({ key: { kind: 'destination', service: 'orders' }, urgent: true });
    expect(world.closure({ provider: 'main', clientId: 'web' })).toBe('ClientQuarantined');
  });

  test('outlives a restart, for each of several clients whose jobs run at once', async () => {
    const { deps } = depsOf(worldWithTwo(), async () => undefined);
    const ids = ['web', 'api'].map((clientId) => ({ provider: 'main', clientId }));
    await Promise.all(ids.map((id) => takeOrders(id, compromised(id.clientId), deps)));
    const restarted = worldWithTwo();
    await restoreClosures({ facts: deps.facts, world: restarted });
    expect(ids.map((id) => restarted.closure(id))).toEqual(['ClientQuarantined', 'ClientQuarantined']);
  });
});
