import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/clock.js';
import type { Consul, LeaderLock } from '../../src/consul/consul.js';
import { createHttpConsul } from '../../src/consul/http/http-consul.js';
import { checkCluster } from '../../src/lease/cluster.js';
import { ConsulLease } from '../../src/lease/consul-lease.js';
import type { Acquisition, Lease } from '../../src/lease/lease.js';
import { createStoreLease } from '../../src/lease/store-lease.js';
import { Secret } from '../../src/model/secret.js';
import { noMetrics, silentLogger } from '../../src/observe.js';
import type { Fence } from '../../src/queue/fence.js';
import { createFacts } from '../support/worker-facts.js';
import type { ConsulUnderTest } from './consul-port/rig.js';
import { createMemoryFence, type MemoryFence } from './memory-fence.js';

const never = new AbortController().signal;

const selfOf = (replica: string, storeId: string) => () => ({
  replica,
  host: replica,
  address: `http://${replica}:8080`,
  since: '2026-03-01T10:00:00.000Z',
  storeId,
});

/** Looks twice: the first look cannot know for how long the leader is silent. */
const overtake = async (lease: Lease): Promise<Acquisition> => {
  await lease.acquire(never);
  return lease.acquire(never);
};

const epochOf = (acquired: Acquisition): number => {
  if (acquired.kind !== 'leads') throw new Error(`it does not lead: ${acquired.kind}`);
  return acquired.leader.epoch;
};

/** `at`: the calls of `acquire` that fail, counted from 1. */
function failing(lock: LeaderLock, at: readonly number[]): LeaderLock {
  let calls = 0;
  return {
    key: lock.key,
    read: (...parts) => lock.read(...parts),
    createSession: (...parts) => lock.createSession(...parts),
    renewSession: (...parts) => lock.renewSession(...parts),
    endSession: (...parts) => lock.endSession(...parts),
    async acquire(...parts) {
      if (at.includes(++calls)) throw new Error('Consul is away');
      return lock.acquire(...parts);
    },
  };
}

/** The contract of the port `Lease`. `open`: a lease of this replica on the store with this fence. */
function describeLease(name: string, open: (replica: string, fence: MemoryFence, storeId: string) => Lease) {
  describe(`${name} as a lease`, () => {
    let fence: MemoryFence;
    let one: Lease;
    let two: Lease;
    const opened: Lease[] = [];
    let count = 0;
    beforeEach(() => {
      fence = createMemoryFence();
      const store = `store-${++count}`;
      one = open('one', fence, store);
      two = open('two', fence, store);
      opened.push(one, two);
    });
    afterEach(async () => {
      for (const lease of opened.splice(0)) await lease.release(0);
    });

    it('is got by the first, and the second follows it by name', async () => {
      expect(await one.acquire(never)).toMatchObject({ kind: 'leads', leader: { replica: 'one' } });
      expect(await two.acquire(never)).toMatchObject({ kind: 'follows', leader: { replica: 'one' } });
    });

    it('is renewed by its holder, and by no other', async () => {
      const epoch = epochOf(await one.acquire(never));
      expect(await one.renew(epoch, never)).toBe(true);
      expect(await two.renew(epoch + 1, never)).toBe(false);
    });

    it('can be taken right after its release, with a higher epoch', async () => {
      const epoch = epochOf(await one.acquire(never));
      await one.release(epoch);
      expect(epochOf(await two.acquire(never))).toBeGreaterThan(epoch);
      expect(await one.renew(epoch, never)).toBe(false);
    });

    it('is got from a leader without a sign of life, which then has lost it', async () => {
      const epoch = epochOf(await one.acquire(never));
      await two.acquire(never);
      fence.die();
      const next = epochOf(await two.acquire(never));
      expect(next).toBeGreaterThan(epoch);
      expect(await one.renew(epoch, never)).toBe(false);
      expect(await two.renew(next, never)).toBe(true);
      // A release by the former leader ends nothing.
      await one.release(epoch);
      expect(await two.renew(next, never)).toBe(true);
      expect((await one.acquire(never)).kind).toBe('follows');
    });

    it('is got by one of two that try at the same time', async () => {
      for (let round = 0; round < 5; round++) {
        const both = await Promise.all([one.acquire(never), two.acquire(never)]);
        const leading = both.filter(({ kind }) => kind === 'leads');
        expect(leading.length).toBeLessThanOrEqual(1);
        for (const [at, lease] of [one, two].entries())
          if (both[at]?.kind === 'leads') await lease.release(epochOf(both[at]));
      }
    });
  });
}

/** The lease of mode `observe`. */
export function describeStoreLease(): void {
  it('the store gives no epoch a second time, although it forgot that it gave it', async () => {
    const fence = createMemoryFence();
    const open = (replica: string): Lease =>
      createStoreLease(fence, selfOf(replica, 's'), async () => undefined);
    const [one, two] = [open('one'), open('two')];
    const before = epochOf(await one.acquire(never));
    await one.release(before);
    const epoch = epochOf(await one.acquire(never));
    fence.lose(epoch - before);
    fence.die();
    expect(epochOf(await two.acquire(never))).not.toBe(epoch);
    expect(await one.renew(epoch, never)).toBe(false);
  });

  describeLease('the store', (replica, fence, storeId) =>
    createStoreLease(fence, selfOf(replica, storeId), async () => undefined),
  );
}

/** The lease by Consul's sessions, on a real or an embedded Consul. */
export function describeConsulLease(name: string, start: () => Promise<ConsulUnderTest>): void {
  let server: ConsulUnderTest;
  const clients: Consul[] = [];
  let owners = 0;
  beforeAll(async () => {
    server = await start();
  }, 300_000);
  afterAll(async () => {
    for (const client of clients) await client.close();
    await server?.stop();
  });
  const connect = (owner: string): Consul => {
    const client = createHttpConsul({
      address: server.address,
      token: new Secret(server.managementToken),
      owner,
      logger: silentLogger,
      metrics: noMetrics,
      clock: systemClock,
    });
    clients.push(client);
    return client;
  };
  /** Each renewal asks Consul: the clock goes on by a minute at each look. */
  const open = (consul: Pick<Consul, 'lock'>, replica: string, fence: Fence, storeId: string) => {
    let now = 0;
    const clock = {
      ...systemClock,
      now: () => {
        now += 60_000;
        return now;
      },
    };
    const self = selfOf(replica, storeId);
    return new ConsulLease({
      lock: consul.lock,
      fence,
      self,
      check: async () => undefined,
      ttlSeconds: 10,
      clock,
    });
  };

  describeLease(`sessions of ${name}`, (replica, fence, storeId) =>
    open(connect(storeId), replica, fence, storeId),
  );

  describe(`sessions of ${name}, beyond the store`, () => {
    const fresh = () => connect(`other-${++owners}`);

    it('refuse a replica on another store and name the leader; admit it after a release', async () => {
      const consul = fresh();
      const one = open(consul, 'one', createMemoryFence(), 'first');
      const two = open(consul, 'two', createMemoryFence(), 'second');
      const epoch = epochOf(await one.acquire(never));
      expect(await two.acquire(never)).toMatchObject({
        kind: 'refused',
        error: {
          code: 'ERR_LEASE_HELD',
          message: expect.stringContaining('one on one (http://one:8080), since 2026'),
        },
      });
      expect(await one.renew(epoch, never)).toBe(true);
      await one.release(epoch);
      expect((await two.acquire(never)).kind).toBe('leads');
    });

    it('are got again by the same leader after an end that nobody used, and lost to one that did', async () => {
      const consul = fresh();
      const fence = createMemoryFence();
      const one = open(consul, 'one', fence, 'store');
      const epoch = epochOf(await one.acquire(never));
      const { session } = await consul.lock.read(never);
      await consul.lock.endSession(session ?? '', never);
      expect(await one.renew(epoch, never)).toBe(true);
      expect((await consul.lock.read(never)).session).toBeDefined();
      await consul.lock.endSession((await consul.lock.read(never)).session ?? '', never);
      const other = open(consul, 'two', createMemoryFence(), 'second');
      await other.acquire(never);
      expect(await one.renew(epoch, never)).toBe(false);
    });

    it('bar a leader of before, although the store lost the epochs since', async () => {
      const consul = fresh();
      const fence = createMemoryFence();
      const [late, now] = [open(consul, 'late', fence, 'store'), open(consul, 'now', fence, 'store')];
      const first = epochOf(await late.acquire(never));
      fence.die();
      const second = epochOf(await overtake(now));
      // The store is as it was in the term of the late leader: its own check would let that one pass.
      fence.lose(second - first);
      expect(await fence.beat(first)).toBe(true);
      expect(await late.renew(first, never)).toBe(false);
      // The leader finds the loss at its next sign of life, and its next epoch is above all that Consul knows.
      expect(await now.renew(second, never)).toBe(false);
      await now.release(second);
      fence.die();
      expect(epochOf(await now.acquire(never))).toBeGreaterThan(second);
    });

    it('stay with the leader while a copy of its store, where it is silent, names another', async () => {
      const consul = fresh();
      const [fence, copy] = [createMemoryFence(), createMemoryFence()];
      const one = open(consul, 'one', fence, 'store');
      const epoch = epochOf(await one.acquire(never));
      const two = open(consul, 'two', copy, 'store');
      // As after a failover to a copy of before, where another replica led meanwhile, and one that nobody led.
      expect(await two.acquire(never)).toMatchObject({ kind: 'follows', leader: { replica: 'one' } });
      await one.renew(epoch, never);
      await copy.raise(selfOf('two', 'store')(), { above: 0, over: 'any' });
      copy.die();
      expect(await two.acquire(never)).toMatchObject({ kind: 'follows', leader: { replica: 'one' } });
      expect(await one.renew(epoch, never)).toBe(true);
    });

    it('stay with the leader while an exact copy of its store is used, which is refused in the end', async () => {
      const consul = fresh();
      const fence = createMemoryFence();
      const one = open(consul, 'one', fence, 'store');
      const epoch = epochOf(await one.acquire(never));
      await one.renew(epoch, never);
      const two = open(consul, 'two', fence.copy(), 'store');
      // The leader renews between two looks, so it is not silent, although the copy says so.
      for (let look = 0; look < 20; look++) {
        expect(await two.acquire(never)).toMatchObject({ kind: 'follows' });
        if (look < 12) expect(await one.renew(epoch, never)).toBe(true);
        else break;
      }
      // The message has the command that mends it after a restore.
      const message = expect.stringMatching(/consul kv delete scopemesh\/\S+\/leader,/);
      const refused = { kind: 'refused', error: { code: 'ERR_LEASE_HELD', message } };
      expect(await two.acquire(never)).toMatchObject(refused);
      expect(await one.renew(epoch, never)).toBe(true);
      // Nor does it lead once the leader has stopped, which the leader's own store does.
      await one.release(epoch);
      const late = open(consul, 'late', fence.copy(), 'store');
      expect(epochOf(await late.acquire(never))).toBeGreaterThan(epoch);
      expect(await two.acquire(never)).toMatchObject(refused);
    });

    it('are got by a store that lost the last pulses or all of them, but only once the lock is free', async () => {
      const consul = fresh();
      const fence = createMemoryFence();
      const one = open(consul, 'one', fence, 'store');
      let epoch = epochOf(await one.acquire(never));
      for (const behind of [fence.copy(), createMemoryFence()]) {
        for (let beats = 0; beats < 3; beats++) await one.renew(epoch, never);
        const two = open(consul, 'two', behind, 'store');
        await overtake(two);
        expect(await overtake(two)).toMatchObject({ kind: 'follows', leader: { replica: 'one' } });
        await one.release(epoch);
        const next = epochOf(await overtake(two));
        expect(next).toBeGreaterThan(epoch);
        await two.release(next);
        await consul.lock.acquire(await consul.lock.createSession('none', 10, never), '{}', never);
        await consul.lock.endSession((await consul.lock.read(never)).session ?? '', never);
        epoch = epochOf(await one.acquire(never));
      }
    });

    it('are given back when Consul fails after the store has a new leader', async () => {
      const consul = fresh();
      const fence = createMemoryFence();
      const one = open({ lock: failing(consul.lock, [2]) }, 'one', fence, 'store');
      await expect(one.acquire(never)).rejects.toThrow('Consul is away');
      expect((await fence.read())?.isAlive).toBe(false);
      expect((await consul.lock.read(never)).session).toBeUndefined();
      expect((await open(consul, 'two', fence, 'store').acquire(never)).kind).toBe('leads');
    });

    it('are given back when the store fails after Consul gave the lock', async () => {
      const consul = fresh();
      const fence = createMemoryFence();
      const raise = async () => {
        throw new Error('the store is away');
      };
      const one = open(consul, 'one', { ...fence, raise }, 'store');
      await expect(one.acquire(never)).rejects.toThrow('the store is away');
      expect((await consul.lock.read(never)).session).toBeUndefined();
      expect((await open(consul, 'two', fence, 'store').acquire(never)).kind).toBe('leads');
    });

    it('are got after takeovers that failed between the store and Consul', async () => {
      const consul = fresh();
      const fence = createMemoryFence();
      const one = open(consul, 'one', fence, 'store');
      const epoch = epochOf(await one.acquire(never));
      await one.renew(epoch, never);
      await one.release(epoch);
      const two = open({ lock: failing(consul.lock, [2, 4]) }, 'two', fence, 'store');
      for (let attempt = 0; attempt < 2; attempt++)
        await expect(two.acquire(never)).rejects.toThrow('Consul is away');
      expect(epochOf(await overtake(open(consul, 'three', fence, 'store')))).toBeGreaterThan(epoch);
    });

    it('are got after one such takeover from a leader whose last pulse Consul never got', async () => {
      const consul = fresh();
      const fence = createMemoryFence();
      const one = open({ lock: failing(consul.lock, [3]) }, 'one', fence, 'store');
      const epoch = epochOf(await one.acquire(never));
      await expect(one.renew(epoch, never)).rejects.toThrow('Consul is away');
      await one.release(epoch);
      const two = open({ lock: failing(consul.lock, [2]) }, 'two', fence, 'store');
      await expect(two.acquire(never)).rejects.toThrow('Consul is away');
      expect(epochOf(await overtake(open(consul, 'three', fence, 'store')))).toBeGreaterThan(epoch);
    });

    it('are got after one such takeover with a store that lost everything', async () => {
      const consul = fresh();
      const one = open(consul, 'one', createMemoryFence(), 'store');
      const epoch = epochOf(await one.acquire(never));
      await one.release(epoch);
      const empty = createMemoryFence();
      const two = open({ lock: failing(consul.lock, [2]) }, 'two', empty, 'store');
      expect((await two.acquire(never)).kind).toBe('follows');
      await expect(two.acquire(never)).rejects.toThrow('Consul is away');
      expect(epochOf(await overtake(open(consul, 'three', empty, 'store')))).toBeGreaterThan(epoch);
    });

    it('bind a store to the first cluster that it meets, and a cluster that lost its ID gets it again', async () => {
      const consul = fresh();
      const keyValues = createFacts();
      let ids = 0;
      const check = (of: Consul) => checkCluster(of.clusterId, keyValues, () => `id-${++ids}`, never);
      expect(await check(consul)).toBeUndefined();
      expect(await check(consul)).toBeUndefined();
      // A cluster without an ID is taken for this one after a loss; one with another ID is not.
      const empty = fresh();
      expect(await check(empty)).toBeUndefined();
      expect(await empty.clusterId.read(never)).toBe('id-1');
      const other = fresh();
      await other.clusterId.create('of-another-store', never);
      expect((await check(other))?.message).toContain('another Consul cluster');
    });
  });
}
