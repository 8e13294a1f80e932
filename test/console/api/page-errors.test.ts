import { expect, it } from 'vitest';
import { addPageErrors } from '../../../src/console/api/page-errors.js';
import { createHttpServer } from '../../../src/daemon/http-server.js';
import type { Caller } from '../../../src/daemon/rights.js';
import { noMetrics, silentLogger } from '../../../src/observe.js';

const READER: Caller = { kind: 'holder', name: 'reader', mayApprove: false };

function rig() {
  const lines: object[] = [];
  let counted = 0;
  let now = 0;
  const server = createHttpServer();
  addPageErrors(server, {
    access: {
      callerOf: ({ headers }) => (headers.from === 'nobody' ? { status: 401, error: 'no' } : READER),
    },
    logger: { ...silentLogger, warn: (fields) => void lines.push(fields) },
    metrics: { ...noMetrics, count: () => void counted++ },
    clock: { now: () => now, sleep: async () => {} },
  });
  const send = async (body: object, from = 'reader') =>
    (
      await server.inject({
        method: 'POST',
        url: '/api/page-errors',
        headers: { 'content-type': 'application/json', from },
        body: JSON.stringify(body),
      })
    ).statusCode;
  const wait = (ms: number) => {
    now += ms;
  };
  return { lines, counted: () => counted, send, wait };
}

it('an error of the page is a line that nothing in it can disguise, and counts', async () => {
  const { send, lines, counted } = rig();
  expect(await send({ error: 'TypeError: x\u202e is\nnone', at: ['index-a1.js:1:2'] })).toBe(204);
  expect(lines).toEqual([
    { error: 'TypeError: x\\u{202e} is\\u{a}none', at: ['index-a1.js:1:2'], unlogged: 0 },
  ]);
  expect(counted()).toBe(1);
});

it('a page that fails all the time fills no log', async () => {
  const { send, lines, counted, wait } = rig();
  for (let sent = 0; sent < 50; sent++) expect(await send({ error: 'again', at: [] })).toBe(204);
  expect([lines.length, counted()]).toEqual([5, 50]);
  wait(60_000);
  await send({ error: 'again', at: [] });
  expect(lines.at(-1)).toEqual({ error: 'again', at: [], unlogged: 45 });
});

it('takes short texts and places in files alone, and from nobody without a session', async () => {
  const { send, counted } = rig();
  for (const body of [
    { error: '', at: [] },
    { error: 'x'.repeat(301), at: [] },
    { error: 'x', at: ['https://evil.test/:1:1'] },
    { error: 'x', at: Array.from({ length: 6 }, () => 'a.js:1:1') },
    { error: 'x', at: [], cookie: 'y' },
  ])
    expect(await send(body)).toBe(400);
  expect(await send({ error: 'x', at: [] }, 'nobody')).toBe(401);
  expect(counted()).toBe(0);
});
