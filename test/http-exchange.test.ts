import type { Dispatcher } from 'undici';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { HttpExchange, type HttpExchangeOptions } from '../src/http-exchange.js';

const TOO_LONG = new Error('too long');

/** An exchange of which nothing has begun. `aborts`: how often the connection was given up. */
function created(options: Partial<HttpExchangeOptions> = {}) {
  const exchange = new HttpExchange({ maxBytes: 1_000, tooLong: () => TOO_LONG, ...options });
  let aborts = 0;
  const controller: Dispatcher.DispatchController = {
    aborted: false,
    paused: false,
    reason: null,
    abort: () => aborts++,
    pause: () => {},
    resume: () => {},
  };
  return { exchange, controller, aborts: () => aborts };
}

/** An exchange whose answer has begun. */
function begun(maxBytes: number, options: Partial<HttpExchangeOptions> = {}) {
  const made = created({ maxBytes, ...options });
  made.exchange.onRequestStart(made.controller);
  made.exchange.onResponseStart(made.controller, 200, { 'x-names': ['a', 'b'] });
  return made;
}

test('an answer that comes byte by byte keeps no chunk', async () => {
  const { exchange, controller } = begun(1_000);
  // One buffer for all chunks: whoever keeps a chunk sees the last byte in each.
  const chunk = Buffer.alloc(1);
  for (let byte = 0; byte < 200; byte++) {
    chunk[0] = byte;
    exchange.onResponseData(controller, chunk);
  }
  exchange.onResponseEnd();
  const { body, headers } = await exchange.answer;
  expect([...body]).toEqual(Array.from({ length: 200 }, (_, byte) => byte));
  expect(headers).toEqual({ 'x-names': 'a, b' });
});

test('an answer may be as long as the limit, and no longer', async () => {
  const whole = begun(3);
  for (const text of ['a', 'bc']) whole.exchange.onResponseData(whole.controller, Buffer.from(text));
  whole.exchange.onResponseEnd();
  expect(Buffer.from((await whole.exchange.answer).body).toString()).toBe('abc');
  const longer = begun(3);
  for (const text of ['a', 'bcd']) longer.exchange.onResponseData(longer.controller, Buffer.from(text));
  await expect(longer.exchange.answer).rejects.toBe(TOO_LONG);
  expect(longer.aborts()).toBe(1);
});

test('memory for an answer doubles as it grows, and never beyond the limit', () => {
  const sizes: number[] = [];
  const counting = new Proxy(Uint8Array, {
    construct(target, [size]: [number]) {
      sizes.push(size);
      return new target(size);
    },
  });
  vi.stubGlobal('Uint8Array', counting);
  const { exchange, controller } = begun(10);
  for (let byte = 0; byte < 10; byte++) exchange.onResponseData(controller, Buffer.alloc(1));
  vi.unstubAllGlobals();
  expect(sizes).toEqual([0, 1, 2, 4, 8, 10]);
});

test('an informational answer is not the answer', async () => {
  const { exchange, controller } = created();
  exchange.onRequestStart(controller);
  exchange.onResponseStart(controller, 103, { link: 'x' });
  expect(exchange.status).toBeUndefined();
  exchange.onResponseStart(controller, 404, { 'x-name': 'a' });
  expect(exchange.status).toBe(404);
  exchange.onResponseEnd();
  expect(await exchange.answer).toEqual({
    status: 404,
    headers: { 'x-name': 'a' },
    body: new Uint8Array(0),
  });
});

describe('a request', () => {
  const REFUSED = new Error('no longer the leader');

  test('that is refused when it would be written is not sent', async () => {
    const { exchange, controller, aborts } = created({ refusal: () => REFUSED });
    exchange.onRequestStart(controller);
    await expect(exchange.answer).rejects.toBe(REFUSED);
    expect(aborts()).toBe(1);
  });

  test('that nothing refuses is sent', () => {
    const { exchange, controller, aborts } = created({ refusal: () => undefined });
    exchange.onRequestStart(controller);
    expect(aborts()).toBe(0);
  });

  test('that was given up before it is written is not sent, and says why it was given up', async () => {
    const refusal = vi.fn(() => REFUSED);
    const { exchange, controller, aborts } = created({ refusal });
    const late = new Error('too late');
    exchange.fail(late);
    exchange.onRequestStart(controller);
    await expect(exchange.answer).rejects.toBe(late);
    expect([aborts(), refusal.mock.calls]).toEqual([1, []]);
  });

  test('that is given up without a reason fails', async () => {
    const { exchange } = created();
    exchange.fail(undefined);
    await expect(exchange.answer).rejects.toThrow('aborted');
  });

  test('whose connection breaks fails with that error', async () => {
    const { exchange, controller } = begun(10);
    const broken = new Error('other side closed');
    exchange.onResponseError(controller, broken);
    await expect(exchange.answer).rejects.toBe(broken);
  });
});

describe('an answer that never ends', () => {
  const endless = { quietMs: 100, longestMs: 1_000 };

  afterEach(() => void vi.useRealTimers());

  /** The answer has begun, and time is that of the test. */
  function quiet() {
    vi.useFakeTimers();
    return begun(100, { endless });
  }

  test('is what arrived until nothing arrived for a while', async () => {
    const { exchange, controller, aborts } = quiet();
    for (const text of ['a', 'b', 'c']) {
      vi.advanceTimersByTime(99);
      exchange.onResponseData(controller, Buffer.from(text));
    }
    vi.advanceTimersByTime(99);
    expect(aborts()).toBe(0);
    vi.advanceTimersByTime(1);
    expect(Buffer.from((await exchange.answer).body).toString()).toBe('abc');
    expect([aborts(), vi.getTimerCount()]).toEqual([1, 0]);
  });

  test('is what arrived in the longest time, if it never pauses', async () => {
    const { exchange, controller, aborts } = quiet();
    for (let byte = 0; byte < 20; byte++) {
      exchange.onResponseData(controller, Buffer.from('a'));
      vi.advanceTimersByTime(50);
    }
    expect((await exchange.answer).body.byteLength).toBe(20);
    expect([aborts(), vi.getTimerCount()]).toEqual([1, 0]);
  });

  test('is waited for no longer once it ended or failed', () => {
    const ended = quiet();
    ended.exchange.onResponseEnd();
    expect(vi.getTimerCount()).toBe(0);
    const failed = quiet();
    failed.exchange.answer.catch(() => {});
    failed.exchange.fail(new Error('x'));
    expect(vi.getTimerCount()).toBe(0);
  });
});
