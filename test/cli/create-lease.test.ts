import { expect, it } from 'vitest';
import type { Config } from '../../config/config.js';
import { createLeases } from '../../src/cli/create-lease.js';
import { systemClock } from '../../src/clock.js';
import type { Consul } from '../../src/consul/consul.js';
import { Secret } from '../../src/model/secret.js';
import type { Store } from '../../src/queue/store-parts.js';
import { createMemoryFence } from '../conformance/lease.js';

const never = new AbortController().signal;

async function openAt(url: string, facts: Map<string, string>) {
  const keyValues = {
    get: async (key: string) => facts.get(key),
    async replace(key: string, expected: string | undefined, value: string) {
      if (facts.get(key) !== expected) return false;
      facts.set(key, value);
      return true;
    },
  };
  const config = {
    queue: { kind: 'bullmq', url: new Secret(url) },
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
  const facts = new Map<string, string>();
  const acquire = await openAt('redis://redis.example', facts);
  const id = facts.get('store');
  facts.clear();
  await acquire();
  expect(facts.get('store')).toBe(id);
});
