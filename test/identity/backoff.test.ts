import { beforeEach, describe, expect, it } from 'vitest';
import { RefusedCredentials, SyncError } from '../../src/errors.js';
import { type BackoffParts, withBackoff } from '../../src/identity/backoff.js';
import type { ReadProof } from '../../src/model/trigger.js';

const signal = new AbortController().signal;
const START = 1_000_000;
const HOUR_MS = 3_600_000;
let now: number;
let asked: string[];
/** What the provider answers; undefined if it answers as asked. */
let refusal: (() => SyncError) | undefined;
let parts: BackoffParts;

const limited = (retryAfterMs?: number) => () => {
  const after = retryAfterMs === undefined ? {} : { retryAfterMs };
  return new SyncError('ERR_DIRECTORY_RATE_LIMITED', 'answered 429', { retriable: true, ...after });
};
const unknownClient = () =>
  new RefusedCredentials('ERR_DIRECTORY_DENIED', 'invalid_client', { retriable: false });

function open(pollMs: number): BackoffParts {
  const answer = async <T>(what: string, value: T): Promise<T> => {
    asked.push(what);
    if (refusal !== undefined) throw refusal();
    return value;
  };
  return withBackoff(
    {
      directory: {
        provider: 'main',
        readAll: () => answer('readAll', { clients: [], unreadable: [], requests: 1 }),
        read: (_, value) => answer(`read ${value}`, undefined),
        readMembers: () => answer('readMembers', new Map()),
        close: async () => {},
      },
      poll: { provider: 'main', poll: () => answer('poll', { events: [], cursor: '', gap: false }) },
      subscription: {
        provider: 'main',
        renew: () => answer('renew', { stored: '', renewAfterMs: 1, gap: false }),
      },
    },
    { now: () => now, sleep: async () => {} },
    pollMs,
  );
}

beforeEach(() => {
  now = START;
  asked = [];
  refusal = limited(30_000);
  parts = open(60_000);
});

const everything = () => [
  parts.directory.readAll(signal),
  parts.directory.read('clientId', 'web', signal),
  parts.directory.readMembers?.(['ops'], signal),
  parts.poll?.poll(undefined, signal),
  parts.subscription?.renew(undefined, signal, async () => false),
];
const poll = () => Promise.resolve(parts.poll?.poll(undefined, signal));
const read = (client: string, proof?: ReadProof) => parts.directory.read('clientId', client, signal, proof);
/** The error of a call that must fail. */
const failure = async (call: Promise<unknown>): Promise<SyncError> => {
  const found = await call.catch((error: unknown) => error);
  if (!(found instanceof SyncError)) throw new Error('no error');
  return found;
};

describe('After a 429 of one part of a provider', () => {
  it('nothing is sent to it until the stated time', async () => {
    await expect(poll()).rejects.toMatchObject({ retryAfterMs: 30_000 });
    now += 10_000;
    for (const each of everything())
      await expect(each).rejects.toMatchObject({
        code: 'ERR_DIRECTORY_RATE_LIMITED',
        retriable: true,
        retryAfterMs: 20_000,
      });
    expect(asked).toEqual(['poll']);
    expect(parts.pause()).toEqual({ why: 'rate-limit', since: START, until: START + 30_000 });
    now += 20_000;
    refusal = undefined;
    await Promise.all(everything());
    expect(asked).toEqual(['poll', 'readAll', 'read web', 'readMembers', 'poll', 'renew']);
    expect(parts.pause()).toBeUndefined();
  });

  it.each([
    ['5 s', 5_000, HOUR_MS, 5_000],
    ['an hour', HOUR_MS, HOUR_MS, 60_000],
    ['100 ms', 100, HOUR_MS, 1_000],
  ])('a poll interval of %s limits how long the pause lasts', async (_, pollMs, statedMs, lastsMs) => {
    parts = open(pollMs);
    refusal = limited(statedMs);
    await failure(poll());
    now += lastsMs - 1;
    await failure(poll());
    expect(asked).toEqual(['poll']);
    now += 1;
    await failure(poll());
    expect(asked).toEqual(['poll', 'poll']);
    // The pause goes on since the first refusal, so that people see how long.
    expect(parts.pause()).toEqual({ why: 'rate-limit', since: START, until: now + lastsMs });
  });

  it('what an order needs is sent anyway', async () => {
    await failure(parts.directory.readAll(signal));
    refusal = undefined;
    for (let at = 0; at < 20; at++) await read(`order-${at}`, 'order');
    await expect(read('web')).rejects.toThrow('limits the rate');
    expect(asked).toHaveLength(21);
  });

  it('one client a second is read that an event proves, and a thousand others wait for their turn', async () => {
    await failure(poll());
    refusal = undefined;
    const waits: number[] = [];
    for (let at = 0; at < 1_000; at++)
      await read(`client-${at}`, 'evidence').catch((error: SyncError) =>
        waits.push(error.retryAfterMs ?? -1),
      );
    expect(asked).toEqual(['poll', 'read client-0']);
    expect(waits).toHaveLength(999);
    expect(waits.slice(0, 3)).toEqual([1_000, 2_000, 3_000]);
    expect(Math.max(...waits)).toBe(30_000);
    for (let second = 1; second <= 20; second++) {
      now += 1_000;
      for (let at = 0; at < 50; at++) await read(`client-${second}-${at}`, 'evidence').catch(() => {});
    }
    expect(asked).toHaveLength(22);
    // An answer to one client does not say that the provider takes all requests again.
    expect(parts.pause()?.until).toBe(START + 30_000);
  });

  it('a read that is refused during the pause is tried again soon, and does not keep the others from a test', async () => {
    await failure(poll());
    for (let second = 0; second < 29; second++) {
      now += 1_000;
      expect((await failure(read('web', 'evidence'))).retryAfterMs).toBeLessThanOrEqual(2_000);
    }
    expect(parts.pause()?.until).toBe(START + 30_000);
    now += 1_000;
    refusal = undefined;
    await poll();
    expect(parts.pause()).toBeUndefined();
  });

  it.each([undefined, 0])('a pause that is not stated (%s) doubles from a second to ten', async (stated) => {
    refusal = limited(stated);
    const lasted: number[] = [];
    for (let at = 0; at < 6; at++) {
      await failure(poll());
      lasted.push((parts.pause()?.until ?? 0) - now);
      now = parts.pause()?.until ?? 0;
    }
    expect(lasted).toEqual([1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
    refusal = undefined;
    await poll();
    refusal = limited(stated);
    await failure(poll());
    expect(parts.pause()).toEqual({ why: 'rate-limit', since: now, until: now + 1_000 });
  });

  it('a read that began before it and succeeds does not end the pause', async () => {
    let answer = () => {};
    const slow = withBackoff(
      {
        directory: {
          provider: 'main',
          readAll: () => Promise.reject(limited(30_000)()),
          read: () =>
            new Promise((resolve) => {
              answer = () => resolve(undefined);
            }),
          close: async () => {},
        },
      },
      { now: () => now, sleep: async () => {} },
      60_000,
    );
    const reading = slow.directory.read('clientId', 'web', signal);
    await failure(slow.directory.readAll(signal));
    answer();
    await reading;
    expect(slow.pause()).toBeDefined();
  });
});

describe('Refused credentials', () => {
  it('are one fault of the provider: while it lasts, one request a second is sent for all its clients', async () => {
    refusal = unknownClient;
    await failure(read('web'));
    for (let second = 0; second < 6; second++) {
      for (let at = 0; at < 30; at++) {
        const error = await failure(read(`client-${at}`, at % 3 === 0 ? 'order' : undefined));
        expect(error).toBeInstanceOf(RefusedCredentials);
        expect(error.message).toContain('invalid_client');
        expect(error.retryAfterMs).toBeGreaterThan(0);
      }
      now += 200;
    }
    expect(asked.length).toBeLessThanOrEqual(4);
    expect(parts.pause()?.why).toBe('credentials');
  });

  it('that are accepted again are noticed within ten seconds', async () => {
    refusal = unknownClient;
    for (let at = 0; at < 10; at++) {
      await failure(poll());
      now = parts.pause()?.until ?? 0;
    }
    expect(now - START).toBeLessThan(80_000);
    await failure(poll());
    refusal = undefined;
    now += 10_000;
    await poll();
    expect(parts.pause()).toBeUndefined();
  });
});

it('Another error causes no pause', async () => {
  const denied = new SyncError('ERR_DIRECTORY_DENIED', 'answered 403', { retriable: false, retryAfterMs: 5 });
  const failing = withBackoff(
    {
      directory: {
        provider: 'main',
        readAll: () => Promise.reject(denied),
        read: async () => undefined,
        close: async () => {},
      },
    },
    { now: () => now, sleep: async () => {} },
    60_000,
  );
  await expect(failing.directory.readAll(signal)).rejects.toBe(denied);
  expect(failing.pause()).toBeUndefined();
  expect(failing).not.toHaveProperty('poll');
  expect(failing.directory).not.toHaveProperty('readMembers');
});
