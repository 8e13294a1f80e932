import { once } from 'node:events';
import { createServer } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { abortAfter } from '../../src/clock.js';

setFlagsFromString('--expose-gc');
const collectGarbage: unknown = runInNewContext('gc');

const silent = createServer(() => {});
let address = '';
beforeEach(async () => {
  silent.listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const at = silent.address();
  address = typeof at === 'object' && at !== null ? `http://127.0.0.1:${at.port}` : '';
});
afterEach(() => silent.close());

it('ends a request that nobody answers, also where garbage is collected meanwhile', async () => {
  const collecting = setInterval(() => typeof collectGarbage === 'function' && collectGarbage(), 20);
  const ended = fetch(address, { signal: abortAfter(new AbortController().signal, 300) });
  await expect(ended).rejects.toThrow('timeout');
  clearInterval(collecting);
});

it('ends with the signal that it was given', async () => {
  const stop = new AbortController();
  const ended = fetch(address, { signal: abortAfter(stop.signal, 60_000) });
  stop.abort(new Error('stopped'));
  await expect(ended).rejects.toThrow('stopped');
});
