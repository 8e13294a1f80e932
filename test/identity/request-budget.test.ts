import { beforeEach, describe, expect, it } from 'vitest';
import type { HttpAnswer } from '../../src/identity/http-client.js';
import { createRequestBudget, type RequestBudget } from '../../src/identity/request-budget.js';
import { noMetrics } from '../../src/observe.js';

const signal = new AbortController().signal;
const LIMIT = 300;
const MINUTE_MS = 60_000;
const PLACE = 'provider main, clients';

let now: number;
let sentAt: number[];
let budget: RequestBudget;
/** What the provider states in addition, for the requests left in this minute. */
let headersOf: (left: number, resetSeconds: number) => Record<string, string>;

beforeEach(() => {
  now = 1_800_000_000_000;
  sentAt = [];
  headersOf = () => ({});
  const clock = {
    now: () => now,
    sleep: async (ms: number) => {
      now += ms;
    },
  };
  budget = createRequestBudget({ provider: 'main', clock, metrics: noMetrics });
});

/** A provider that allows 300 requests a minute. */
async function request(): Promise<HttpAnswer> {
  const resetAt = (Math.floor(now / MINUTE_MS) + 1) * MINUTE_MS;
  const used = sentAt.filter((at) => at >= resetAt - MINUTE_MS).length;
  sentAt.push(now);
  const left = Math.max(LIMIT - used - 1, 0);
  const headers = { date: new Date(now).toUTCString(), ...headersOf(left, resetAt / 1000) };
  if (used < LIMIT) return { status: 200, headers, body: new Uint8Array() };
  const after = { 'retry-after': String(Math.ceil((resetAt - now) / 1000)) };
  return { status: 429, headers: { ...headers, ...after }, body: new Uint8Array() };
}

const send = () => budget.send(PLACE, request, signal);

async function sendMany(count: number): Promise<number> {
  for (let sent = 0; sent < count; sent++) if ((await send()).status === 429) return sent;
  return count;
}

const STATED: readonly (readonly [string, typeof headersOf])[] = [
  [
    'Okta',
    (left, reset) => ({
      'x-rate-limit-limit': String(LIMIT),
      'x-rate-limit-remaining': String(left),
      'x-rate-limit-reset': String(reset),
    }),
  ],
  [
    'Auth0',
    (left, reset) => ({
      'x-ratelimit-limit': String(LIMIT),
      'x-ratelimit-remaining': String(left),
      'x-ratelimit-reset': String(reset),
    }),
  ],
  [
    'the draft standard',
    (left, reset) => ({
      'ratelimit-limit': String(LIMIT),
      'ratelimit-remaining': String(left),
      'ratelimit-reset': String(Math.ceil(reset - now / 1000)),
    }),
  ],
];

describe('A complete read of more requests than a minute allows', () => {
  it.each(STATED)('leaves half of a limit that is stated as by %s, and ends', async (_, headers) => {
    headersOf = headers;
    const startedAt = now;
    expect(await budget.bulk(() => sendMany(1_000), 1 / 2)).toBe(1_000);
    for (let minute = startedAt; minute < now; minute += MINUTE_MS)
      expect(sentAt.filter((at) => at >= minute && at < minute + MINUTE_MS).length).toBeLessThanOrEqual(152);
    expect(await sendMany(140)).toBe(140);
  });

  it('leaves half of a limit that only a 429 showed', async () => {
    expect(await budget.bulk(() => sendMany(1_000), 1 / 2)).toBe(LIMIT);
    now = (Math.floor(now / MINUTE_MS) + 1) * MINUTE_MS;
    expect(await budget.bulk(() => sendMany(1_000), 1 / 2)).toBe(1_000);
    expect(await sendMany(140)).toBe(140);
  });

  it('learns nothing from a 429 that names no limit: others had too many requests under way', async () => {
    const busy = async (): Promise<HttpAnswer> => {
      const headers = {
        'x-rate-limit-limit': '0',
        'x-rate-limit-remaining': '0',
        'x-rate-limit-reset': String(now / 1000 + 60),
      };
      return { status: 429, headers, body: new Uint8Array() };
    };
    expect((await budget.bulk(() => budget.send(PLACE, busy, signal), 1 / 2)).status).toBe(429);
    const startedAt = now;
    await budget.bulk(() => sendMany(200), 1 / 2);
    expect(now).toBe(startedAt);
  });

  it('ends though others use up the whole limit again and again', async () => {
    headersOf = () => ({
      'x-ratelimit-limit': '10',
      'x-ratelimit-remaining': '0',
      'x-ratelimit-reset': String(now / 1000 + 3_600),
    });
    const startedAt = now;
    expect(await budget.bulk(() => sendMany(5), 1 / 2)).toBe(5);
    expect(now - startedAt).toBeLessThanOrEqual(5 * MINUTE_MS);
  });

  it('stops for Microsoft Graph once it says that most of the limit is used', async () => {
    headersOf = () => ({ 'x-ms-throttle-limit-percentage': '0.8' });
    const startedAt = now;
    await budget.bulk(() => sendMany(3), 1 / 2);
    expect(now - startedAt).toBe(20_000);
  });
});

it('a read for an event never waits for a limit or for the requests of a complete read', async () => {
  headersOf = () => ({ 'x-ratelimit-limit': '10', 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '60' });
  const startedAt = now;
  expect(await sendMany(20)).toBe(20);
  expect(now).toBe(startedAt);

  let answer: () => void = () => {};
  const silent = new Promise<HttpAnswer>((resolve) => {
    answer = () => resolve({ status: 200, headers: {}, body: new Uint8Array() });
  });
  let asked = 0;
  const hang = () => {
    asked++;
    return silent;
  };
  const bulk = budget.bulk(
    () => Promise.all(Array.from({ length: 8 }, () => budget.send('another', hang, signal))),
    1 / 2,
  );
  await expect.poll(() => asked).toBe(4);
  expect((await send()).status).toBe(200);
  answer();
  await bulk;
  expect(asked).toBe(8);
});

it('a complete read that is stopped while it waits for a place ends at once', async () => {
  const stop = new AbortController();
  const never = () => new Promise<HttpAnswer>(() => {});
  const hanging = budget.bulk(
    () => Promise.allSettled(Array.from({ length: 4 }, () => budget.send(PLACE, never, stop.signal))),
    1 / 2,
  );
  hanging.catch(() => {});
  const waiting = budget.bulk(() => budget.send(PLACE, never, stop.signal), 1 / 2);
  stop.abort(new Error('stopped'));
  await expect(waiting).rejects.toThrow('stopped');
});
