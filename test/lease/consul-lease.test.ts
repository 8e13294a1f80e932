import { describe, expect, it } from 'vitest';
import { SyncError } from '../../src/errors.js';
import type { Fence } from '../../src/queue/fence.js';
import { lead, never, SINCE, world } from './lease-rig.js';

it('keeps the lock for a minute while its store is away, although it proves nothing by it', async () => {
  const { clock, lock, fence: memory, open } = world();
  let isAway = false;
  const fence: Fence = {
    ...memory,
    beat: async (epoch, pulse) => {
      if (isAway) throw new Error('the store is away');
      return memory.beat(epoch, pulse);
    },
  };
  const lease = open('a', { fence });
  const epoch = await lead(lease);
  isAway = true;
  const written = lock.value;
  for (let second = 1; second <= 80; second++) {
    clock.at += 1_000;
    await expect(lease.renew(epoch, never)).rejects.toThrow('the store is away');
  }
  expect(lock.renewed).toHaveLength(60);
  // No pulse: others see that this replica is silent.
  expect(lock.value).toBe(written);
  isAway = false;
  expect(await lease.renew(epoch, never)).toBe(true);
  expect(lock.value).not.toBe(written);
});

it('behind a leader that lives checks its store every five seconds, and always before it leads', async () => {
  const { clock, open } = world();
  const checks: string[] = [];
  const check = (replica: string) => ({ check: async () => void checks.push(replica) as undefined });
  const [leader, standby] = [open('leader', check('leader')), open('standby', check('standby'))];
  const epoch = await lead(leader);
  const follow = async (ms: number) => {
    for (const until = clock.at + ms; clock.at < until; clock.at += 500) {
      if (clock.at % 1_000 === 0) expect(await leader.renew(epoch, never)).toBe(true);
      expect((await standby.acquire(never)).kind).toBe('follows');
    }
  };
  await follow(20_000);
  expect(checks).toEqual(['leader', ...Array.from({ length: 4 }, () => 'standby')]);
  await follow(2_000);
  const before = checks.length;
  await leader.release(epoch);
  expect((await standby.acquire(never)).kind).toBe('leads');
  expect(checks).toHaveLength(before + 1);
});

it('is proven by the shorter of both lives, and a leader of an own store alone is never silent', () => {
  const { fence, open } = world();
  expect(open('a')).toMatchObject({ proofMs: 2_400, silentMs: 5_000 });
  const alone = { ...fence, lifeMs: Number.POSITIVE_INFINITY };
  expect(open('a', { fence: alone })).toMatchObject({ proofMs: 5_000, silentMs: 0 });
});

it('does not touch the lock if its own check refuses', async () => {
  const { lock, open } = world();
  const error = new SyncError('ERR_CONFIG', 'another cluster', { retriable: false });
  expect(await open('a', { check: async () => error }).acquire(never)).toEqual({ kind: 'refused', error });
  expect(lock.created).toEqual([]);
});

it('renews its session every quarter of its life', async () => {
  const { clock, lock, open } = world();
  const lease = open('a');
  const epoch = await lead(lease);
  expect(lock.created).toEqual(['scopemesh a']);
  for (const [ms, renewals] of [
    [2_499, 0],
    [1, 1],
  ] as const) {
    clock.at += ms;
    expect(await lease.renew(epoch, never)).toBe(true);
    expect(lock.renewed).toHaveLength(renewals);
  }
});

it('writes no pulse for a store that no other process can use, and 12 in all for one that others can', async () => {
  const alone = world();
  const own = alone.open('a', { fence: { ...alone.fence, lifeMs: Number.POSITIVE_INFINITY } });
  await lead(own);
  expect(alone.lock.written().pulses).toEqual([]);
  const shared = world();
  const lease = shared.open('a');
  const epoch = await lead(lease);
  for (let renewal = 1; renewal < 20; renewal++) {
    shared.clock.at += 2_500;
    await lease.renew(epoch, never);
    const { pulses } = shared.lock.written();
    expect(pulses).toHaveLength(Math.min(renewal + 1, 12));
    expect(new Set(pulses).size).toBe(pulses.length);
  }
  await lease.release(epoch);
  await lead(shared.open('b'));
  expect(new Set(shared.lock.written().pulses).size).toBe(12);
});

describe('a standby', () => {
  it('takes the place of a leader that was silent for half of the TTL, in its store too, and names it', async () => {
    const { clock, lock, fence, open } = world();
    const epoch = await lead(open('one'));
    const two = open('two');
    await two.acquire(never);
    fence.die();
    clock.at += 4_999;
    // It may be over soon.
    expect(await two.acquire(never)).toEqual({ kind: 'follows', leader: undefined });
    clock.at += 1;
    expect(await two.acquire(never)).toMatchObject({
      kind: 'leads',
      leader: { replica: 'two', epoch: epoch + 2 },
      before: { replica: 'one', epoch },
    });
    expect(lock.ended).toEqual(['session 1']);
  });

  it('leaves the lock to a leader that Consul hears nothing of while its store does', async () => {
    const { clock, lock, fence, open } = world();
    const epoch = await lead(open('one'));
    const two = open('two');
    await two.acquire(never);
    clock.at += 60_000;
    await fence.beat(epoch);
    expect(await two.acquire(never)).toMatchObject({ kind: 'follows', leader: { replica: 'one' } });
    expect(lock.session).toBe('session 1');
  });

  it.each([{ epoch: 7 }, { replica: 'three' }, { since: '2026-03-01T11:00:00.000Z' }])(
    'takes nothing from a leader where its store names another one: %j',
    async (other) => {
      const { clock, lock, fence, open } = world();
      await lead(open('one'));
      fence.die();
      const read = async () => {
        const stored = await fence.read();
        return stored && { ...stored, leader: { ...stored.leader, ...other } };
      };
      const two = open('two', { fence: { ...fence, read } });
      await two.acquire(never);
      clock.at += 60_000;
      expect(await two.acquire(never)).toMatchObject({ kind: 'follows', leader: { replica: 'one' } });
      expect(lock.session).toBe('session 1');
    },
  );

  it('waits for a lock that its store knows nothing of yet, or whose value no leader wrote', async () => {
    const { lock, open } = world();
    lock.session = 'of another';
    const written = { replica: 'one', host: 'a', since: SINCE, storeId: 's', epoch: 1 };
    lock.value = JSON.stringify(written);
    expect(await open('two').acquire(never)).toEqual({ kind: 'follows', leader: written });
    lock.value = 'anything';
    expect(await open('two').acquire(never)).toEqual({ kind: 'follows', leader: undefined });
    expect(lock.session).toBe('of another');
  });

  it('on a copy of the store does not lead at its first look either, although the lock is free', async () => {
    const { clock, lock, fence, open } = world();
    const one = open('one');
    const epoch = await lead(one);
    clock.at += 2_500;
    await one.renew(epoch, never);
    const copy = fence.copy();
    for (let renewal = 0; renewal < 2; renewal++) {
      clock.at += 2_500;
      await one.renew(epoch, never);
    }
    await one.release(epoch);
    lock.value = JSON.stringify({ ...lock.written(), pulses: lock.written().pulses.slice(0, 2) });
    const two = open('two', { fence: copy });
    expect(await two.acquire(never)).toEqual({ kind: 'follows', leader: undefined });
    clock.at += 5_000;
    expect(await two.acquire(never)).toMatchObject({ kind: 'refused', error: { retriable: false } });
    expect(lock.session).toBeUndefined();
  });

  it('is not refused after a failover that lost the first pulse since somebody deleted the key', async () => {
    const { clock, lock, fence, open } = world();
    const one = open('one');
    await one.release(await lead(one));
    const before = fence.copy();
    lock.value = undefined;
    await one.release(await lead(one));
    const two = open('two', { fence: before });
    await two.acquire(never);
    clock.at += 5_000;
    expect((await two.acquire(never)).kind).toBe('leads');
  });

  it('gives its claim in the store back if Consul does not end the session of the silent leader', async () => {
    const { clock, lock, fence, open } = world();
    await lead(open('one'));
    fence.die();
    const endSession = () => Promise.reject(new Error('Consul is away'));
    const two = open('two', { lock: { ...lock, endSession } });
    await two.acquire(never);
    clock.at += 5_000;
    await expect(two.acquire(never)).rejects.toThrow('Consul is away');
    expect((await fence.read())?.isAlive).toBe(false);
  });
});

describe('an attempt to lead', () => {
  it('that fails in the store leaves the owner and its last epoch in Consul', async () => {
    const { lock, fence, open } = world();
    const one = open('one');
    const epoch = await lead(one);
    await one.release(epoch);
    const raise = () => Promise.reject(new Error('the store is away'));
    await expect(open('two', { fence: { ...fence, raise } }).acquire(never)).rejects.toThrow('store is away');
    expect(lock.written()).toMatchObject({ replica: 'two', storeId: 's', epoch });
    expect(lock.session).toBeUndefined();
  });

  it('ends in the store too if another replica got the lock meanwhile', async () => {
    const { lock, fence, open } = world();
    let calls = 0;
    const acquire = async (session: string, text: string) => {
      if (++calls === 2) lock.session = 'of another';
      return lock.acquire(session, text);
    };
    const lease = open('one', { lock: { ...lock, acquire } });
    expect(await lease.acquire(never)).toEqual({ kind: 'follows', leader: undefined });
    expect((await fence.read())?.isAlive).toBe(false);
    expect(lock.session).toBe('of another');
    expect(lock.ended).toEqual(['session 1']);
    // The ended session is not used again.
    lock.session = undefined;
    await lead(lease);
    expect(lock.session).toBe('session 2');
  });

  it('names the leader that only the store knows as the one before', async () => {
    const { lock, open } = world();
    const one = open('one');
    await one.release(await lead(one));
    lock.value = undefined;
    expect(await open('two').acquire(never)).toMatchObject({ kind: 'leads', before: { replica: 'one' } });
  });
});
