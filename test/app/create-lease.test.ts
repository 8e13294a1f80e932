import { expect, it } from 'vitest';
import type { Config } from '../../config/config.js';
import { createLeases } from '../../src/app/create-lease.js';
import { systemClock } from '../../src/clock.js';
import type { Consul } from '../../src/consul/consul.js';
import { Secret } from '../../src/model/secret.js';
import type { KeyValueStore } from '../../src/queue/key-value-store.js';
import type { Store } from '../../src/queue/store-parts.js';
import { createMemoryFence } from '../conformance/memory-fence.js';
import { createFacts } from '../support/worker-facts.js';

const never = new AbortController().signal;

async function open(keyValues: KeyValueStore) {
  const config = {
    queue: { kind: 'bullmq', url: new Secret('redis://redis.example') },
    decisions: { kind: 'kafka' },
  } as unknown as Config;
  const store = { fence: createMemoryFence(), keyValues } as unknown as Store;
  const leases = await createLeases(
    config,
    { consul: {} as Consul, store },
    { clock: systemClock },
    () => undefined,
  );
  return async () => {
    const acquired = await leases('observe').acquire(never);
    return acquired.kind === 'leads' ? acquired.leader.storeId : acquired.kind;
  };
}

it('a store that lost its ID gets it again from a process that knows it', async () => {
  const facts = createFacts();
  const acquire = await open(facts);
  const id = facts.values.get('store');
  facts.values.clear();
  await acquire();
  expect(facts.values.get('store')).toBe(id);
});

it('the lease of a mode is the same at each attempt, because it knows what earlier ones saw', async () => {
  const store = { fence: createMemoryFence(), keyValues: createFacts() } as unknown as Store;
  const config = { queue: { kind: 'bullmq' } } as unknown as Config;
  const leases = await createLeases(
    config,
    { consul: {} as Consul, store },
    { clock: systemClock },
    () => undefined,
  );
  expect(leases('enforce')).toBe(leases('extend'));
  expect(leases('observe')).toBe(leases('observe'));
  expect(leases('observe')).not.toBe(leases('enforce'));
});
