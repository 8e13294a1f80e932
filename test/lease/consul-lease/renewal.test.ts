import { expect, it } from 'vitest';
import type { Fence } from '../../../src/queue/fence.js';
import { lead, type memoryLock, never, SINCE, world } from '../lease-rig.js';

/** A leader whose lock somebody else changed meanwhile, before its next renewal. */
async function changed(change: (lock: ReturnType<typeof memoryLock>, epoch: number) => void) {
  const { clock, lock, open } = world();
  let isRenewable = true;
  const asked = { read: () => lock.read(), renewSession: async () => isRenewable };
  const lease = open('a', { lock: { ...lock, ...asked } });
  const epoch = await lead(lease);
  clock.at += 2_500;
  change(lock, epoch);
  const renew = async (renewable: boolean) => {
    isRenewable = renewable;
    return lease.renew(epoch, never);
  };
  return { lock, renew };
}
const write = (lock: ReturnType<typeof memoryLock>, change: object) => {
  lock.value = JSON.stringify({ ...lock.written(), ...change });
};

it.each([true, false])(
  'a leader gives up if its lock is free and its key names a newer epoch or another store (session renewed: %s)',
  async (isRenewed) => {
    // Another replica led and left, and the store lost its epoch in a failover.
    for (const change of [(epoch: number) => ({ epoch: epoch + 1 }), () => ({ storeId: 'other' })]) {
      const { lock, renew } = await changed((lock, epoch) => {
        lock.session = undefined;
        write(lock, { replica: 'b', ...change(epoch) });
      });
      const value = lock.value;
      expect(await renew(isRenewed)).toBe(false);
      expect(lock).toMatchObject({ session: undefined, value });
    }
  },
);

it('a leader gives up if another session holds its lock, although that one lets go right after', async () => {
  const { lock, renew } = await changed((lock) => {
    const { value } = lock;
    lock.session = undefined;
    lock.read = async () => ({ value, session: 'of another' });
  });
  expect(await renew(false)).toBe(false);
  expect(lock.session).toBeUndefined();
});

it.each([true, false])(
  'a leader goes on if somebody deleted its key (session renewed: %s)',
  async (isRenewed) => {
    const { lock, renew } = await changed((lock) => {
      lock.session = undefined;
      lock.value = undefined;
    });
    expect(await renew(isRenewed)).toBe(true);
    expect(lock.session).toBe(isRenewed ? 'session 1' : 'session 2');
    expect(lock.written()).toMatchObject({ replica: 'a' });
  },
);

it('a leader whose session ended right after its key was read goes on with a new one', async () => {
  const { lock, renew } = await changed((lock) => {
    const state = { value: lock.value, session: lock.session };
    lock.read = async () => state;
    lock.session = undefined;
  });
  expect(await renew(false)).toBe(true);
  expect(lock.session).toBe('session 2');
});

it('a leader goes on while its session holds the lock, whatever somebody wrote into its key', async () => {
  const { lock, renew } = await changed((lock, epoch) => write(lock, { epoch: epoch + 1 }));
  expect(await renew(true)).toBe(true);
  expect(lock.session).toBe('session 1');
});

it('a leader gets a new session after Consul gave none at first, and renews none in between', async () => {
  const { clock, lock, fence: memory, open } = world();
  let [isEnded, isAway] = [false, false];
  const asked: string[] = [];
  const fence: Fence = {
    ...memory,
    beat: async (...parts) => {
      if (isAway) throw new Error('the store is away');
      return memory.beat(...parts);
    },
  };
  const lease = open('a', {
    fence,
    lock: {
      ...lock,
      renewSession: async (session) => {
        asked.push(session);
        return !isEnded;
      },
      createSession: async (name) => {
        if (isEnded) throw new Error('Consul is away');
        return lock.createSession(name);
      },
    },
  });
  const epoch = await lead(lease);
  clock.at += 2_500;
  isEnded = true;
  lock.session = undefined;
  await expect(lease.renew(epoch, never)).rejects.toThrow('Consul is away');
  isAway = true;
  await expect(lease.renew(epoch, never)).rejects.toThrow('the store is away');
  isAway = false;
  isEnded = false;
  expect(await lease.renew(epoch, never)).toBe(true);
  expect(lock.session).toBe('session 2');
  expect(asked).toEqual(['session 1']);
});

it('a leader that let go while it asked Consul does not take the lock again', async () => {
  const { clock, lock, fence, open } = world();
  let answer = () => {};
  const answered = new Promise<void>((resolve) => {
    answer = resolve;
  });
  let ask = () => {};
  const asked = new Promise<void>((resolve) => {
    ask = resolve;
  });
  const read = async () => {
    const state = await lock.read();
    if (clock.at > 1_000_000) {
      ask();
      await answered;
    }
    return state;
  };
  const lease = open('a', { lock: { ...lock, read } });
  const epoch = await lead(lease);
  clock.at += 2_500;
  const renewing = lease.renew(epoch, never);
  await asked;
  await lease.release(epoch);
  answer();
  expect(await renewing).toBe(false);
  expect(lock.session).toBeUndefined();
  // Nor does a later renewal give a sign of life.
  expect(await lease.renew(epoch, never)).toBe(false);
  expect((await fence.read())?.isAlive).toBe(false);
});

it('a leader gives up if another replica got the store while it wrote to Consul', async () => {
  const { clock, lock, fence, open } = world();
  const acquire = async (session: string, text: string) => {
    if (clock.at > 1_000_000)
      await fence.raise({ replica: 'b', host: 'b', since: SINCE, storeId: 's' }, { above: 0, over: 'any' });
    return lock.acquire(session, text);
  };
  const lease = open('a', { lock: { ...lock, acquire } });
  const epoch = await lead(lease);
  clock.at += 2_500;
  expect(await lease.renew(epoch, never)).toBe(false);
});

it('a replica that never led ends no session of Consul', async () => {
  const { lock, open } = world();
  await open('a').release(0);
  expect(lock.ended).toEqual([]);
});
