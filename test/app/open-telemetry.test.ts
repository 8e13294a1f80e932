import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it, onTestFinished, vi } from 'vitest';
import { createMetrics } from '../../src/app/metrics.js';
import { startOpenTelemetry } from '../../src/app/open-telemetry.js';
import { systemClock } from '../../src/clock.js';
import { Secret } from '../../src/model/secret.js';
import { silentLogger, step } from '../../src/observe.js';

const HEADER = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

/** A collector that counts what it gets, by path, and answers with a status. */
async function start(status: number) {
  const got = new Map<string, number>();
  const server = createServer((request, response) => {
    const { url = '', headers } = request;
    if (headers.authorization === 'Bearer collector-token') got.set(url, (got.get(url) ?? 0) + 1);
    request.resume().once('end', () => response.writeHead(status).end());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const metrics = createMetrics();
  const logger = { ...silentLogger, warn: vi.fn(), info: vi.fn() };
  const headers = { authorization: new Secret('Bearer collector-token') };
  const telemetry = startOpenTelemetry({ endpoint, headers }, 'payments', {
    metrics,
    logger,
    clock: systemClock,
  });
  return { got, metrics, logger, telemetry };
}

it('goes on with the trace of a request, and gives what follows a parent in it', async () => {
  const { got, telemetry } = await start(200);
  const [first, second] = await telemetry.begin('receive', HEADER, { provider: 'main' }, async (own = '') => [
    own,
    await telemetry.begin('job', own, {}, async (inner = '') => inner),
  ]);
  for (const each of [first, second]) {
    expect(each).toMatch(/^00-4bf92f3577b34da6a3ce929d0e0e4736-[0-9a-f]{16}-01$/);
    expect(each).not.toBe(HEADER);
  }
  expect(first).not.toBe(second);
  await telemetry.close();
  expect(Object.fromEntries(got)).toEqual({ '/v1/traces': 1, '/v1/metrics': 1 });
});

it('begins a trace where the request has none, and sends nothing of a trace that its sender does not want', async () => {
  const { got, telemetry } = await start(200);
  const own = await telemetry.begin('receive', undefined, {}, async (each) => each);
  expect(own).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
  await telemetry.close();
  expect(got.get('/v1/traces')).toBe(1);

  const other = await start(200);
  const unsampled = await other.telemetry.begin(
    'receive',
    HEADER.replace(/01$/, '00'),
    {},
    async (each) => each,
  );
  expect(unsampled).toMatch(/-00$/);
  await other.telemetry.close();
  expect(other.got.get('/v1/traces')).toBeUndefined();
});

it('makes no span of a step outside a trace, and none without telemetry', async () => {
  const { got, telemetry } = await start(200);
  expect(await step({ tracing: telemetry }, 'plan', {}, async () => 1)).toBe(1);
  expect(await step({}, 'plan', {}, async () => 2)).toBe(2);
  await telemetry.close();
  expect(got.get('/v1/traces')).toBeUndefined();
});

it('throws what the work throws', async () => {
  const { telemetry } = await start(200);
  const fail = async () => {
    throw new Error('no');
  };
  await expect(
    telemetry.begin('job', HEADER, {}, () => step({ tracing: telemetry }, 'plan', {}, fail)),
  ).rejects.toThrow('no');
  await telemetry.close();
});

it('counts and logs what the collector refuses, without the credentials', async () => {
  const { metrics, logger, telemetry } = await start(400);
  telemetry.ended('publish', new Set([HEADER]), Date.now());
  await telemetry.close();
  const { body } = await metrics.expose();
  for (const signal of ['traces', 'metrics'])
    expect(body).toContain(`scopemesh_telemetry_failures_total{signal="${signal}"} 1`);
  expect(logger.warn.mock.calls.map(([, message]) => message)).toContain(
    'the collector of telemetry does not take it; check telemetry.endpoint',
  );
  expect(JSON.stringify(logger.warn.mock.calls)).not.toContain('collector-token');
});
