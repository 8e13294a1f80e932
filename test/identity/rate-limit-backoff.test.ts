import { beforeEach, describe, expect, it } from 'vitest';
import { SyncError } from '../../src/errors.js';
import { type BackoffParts, withRateLimitBackoff } from '../../src/identity/rate-limit-backoff.js';

const signal = new AbortController().signal;
let now: number;
let asked: string[];
let retryAfterMs: number | undefined;
let limited: boolean;
let parts: BackoffParts;

beforeEach(() => {
  now = 1_000_000;
  asked = [];
  retryAfterMs = 30_000;
  limited = true;
  const answer = async <T>(what: string, value: T): Promise<T> => {
    asked.push(what);
    if (!limited) return value;
    const after = retryAfterMs === undefined ? {} : { retryAfterMs };
    throw new SyncError('ERR_DIRECTORY_RATE_LIMITED', 'answered 429', { retriable: true, ...after });
  };
  parts = withRateLimitBackoff(
    {
      directory: {
        provider: 'main',
        readAll: () => answer('readAll', { clients: [], unreadable: [], requests: 1 }),
        read: () => answer('read', undefined),
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
  );
});

const everything = () => [
  parts.directory.readAll(signal),
  parts.directory.read('clientId', 'web', signal),
  parts.directory.readMembers?.(['ops'], signal),
  parts.poll?.poll(undefined, signal),
  parts.subscription?.renew(undefined, signal, async () => false),
];

describe('After a 429 of one part of a provider', () => {
  it('nothing is sent to it until the stated time', async () => {
    await expect(parts.poll?.poll(undefined, signal)).rejects.toMatchObject({ retryAfterMs: 30_000 });
    now += 10_000;
    for (const each of everything())
      await expect(each).rejects.toMatchObject({
        code: 'ERR_DIRECTORY_RATE_LIMITED',
        retriable: true,
        retryAfterMs: 20_000,
      });
    expect(asked).toEqual(['poll']);
    expect(parts.pausedUntil()).toBe(1_030_000);
    now += 20_000;
    limited = false;
    await Promise.all(everything());
    expect(asked).toEqual(['poll', 'readAll', 'read', 'readMembers', 'poll', 'renew']);
  });

  it('what an order needs is sent anyway', async () => {
    await expect(parts.directory.readAll(signal)).rejects.toThrow('429');
    limited = false;
    await parts.directory.read('clientId', 'web', signal, true);
    await expect(parts.directory.read('clientId', 'web', signal)).rejects.toThrow('limits the rate');
    expect(asked).toEqual(['readAll', 'read']);
  });

  it('a second 429 makes the pause longer, never shorter', async () => {
    await expect(parts.directory.readAll(signal)).rejects.toThrow();
    retryAfterMs = 1_000;
    await expect(parts.directory.read('clientId', 'web', signal, true)).rejects.toThrow();
    expect(parts.pausedUntil()).toBe(1_030_000);
    retryAfterMs = 60_000;
    await expect(parts.directory.read('clientId', 'web', signal, true)).rejects.toThrow();
    expect(parts.pausedUntil()).toBe(1_060_000);
  });

  it('without a stated time the pause is 10 s', async () => {
    retryAfterMs = undefined;
    await expect(parts.directory.readAll(signal)).rejects.toThrow();
    expect(parts.pausedUntil()).toBe(1_010_000);
  });
});

it('Another error causes no pause', async () => {
  limited = false;
  const denied = new SyncError('ERR_DIRECTORY_DENIED', 'answered 403', { retriable: false, retryAfterMs: 5 });
  const failing = withRateLimitBackoff(
    {
      directory: {
        provider: 'main',
        readAll: () => Promise.reject(denied),
        read: async () => undefined,
        close: async () => {},
      },
    },
    { now: () => now, sleep: async () => {} },
  );
  await expect(failing.directory.readAll(signal)).rejects.toBe(denied);
  expect(failing.pausedUntil()).toBeUndefined();
  expect(failing).not.toHaveProperty('poll');
  expect(failing.directory).not.toHaveProperty('readMembers');
});
