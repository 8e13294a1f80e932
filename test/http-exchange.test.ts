import type { Dispatcher } from 'undici';
import { expect, test } from 'vitest';
import { HttpExchange } from '../src/http-exchange.js';

const TOO_LONG = new Error('too long');

/** An exchange whose answer has begun. `aborts`: how often the connection was given up. */
function begun(maxBytes: number) {
  const exchange = new HttpExchange({ maxBytes, tooLong: () => TOO_LONG });
  let aborts = 0;
  const controller: Dispatcher.DispatchController = {
    aborted: false,
    paused: false,
    reason: null,
    abort: () => aborts++,
    pause: () => {},
    resume: () => {},
  };
  exchange.onRequestStart(controller);
  exchange.onResponseStart(controller, 200, { 'x-names': ['a', 'b'] });
  return { exchange, controller, aborts: () => aborts };
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
