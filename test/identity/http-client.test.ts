import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { IncompleteRead } from '../../src/errors.js';
import { createHttpClient, type HttpClient, parseJson, refusalOf } from '../../src/identity/http-client.js';
import { noMetrics } from '../../src/observe.js';
import { parseRetryAfter } from '../../src/retry-after.js';
import { until } from '../support/until.js';

describe('the transport to an identity provider', () => {
  const signal = new AbortController().signal;
  const count = vi.fn();
  let server: Server;
  let answer: RequestListener;
  let http: HttpClient;
  beforeEach(async () => {
    count.mockReset();
    server = createServer((request, response) => answer(request, response));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    http = open(10_000);
  });
  afterEach(async () => {
    await http.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const open = (timeoutMs: number) =>
    createHttpClient({ provider: 'main', metrics: { ...noMetrics, count }, timeoutMs, maxBytes: 1000 });
  const get = (path = '/', from = signal) =>
    http.request(
      new URL(path, `http://127.0.0.1:${(server.address() as AddressInfo).port}`),
      'a place',
      {},
      from,
    );

  it('returns any status, with its headers and its complete body', async () => {
    answer = (request, response) => {
      response.writeHead(418, { 'X-Path': String(request.url) }).write('{"a":');
      response.end('1}');
    };
    const got = await get('/x?y=1');
    expect(got.status).toBe(418);
    expect(got.headers['x-path']).toBe('/x?y=1');
    expect(parseJson(got, 'a place')).toEqual({ a: 1 });
    expect(count).toHaveBeenCalledWith('scopemesh_directory_requests_total', {
      provider: 'main',
      result: '418',
    });
  });

  it('ends an endless answer at its first silence if that is requested', async () => {
    let closed = false;
    answer = (_, response) => {
      response.on('close', () => {
        closed = true;
      });
      response.writeHead(200).write('id: 1\n\n');
    };
    const address = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    const got = await http.request(address, 'a place', { quietMs: 20 }, signal);
    expect(new TextDecoder().decode(got.body)).toBe('id: 1\n\n');
    // And lets the server go.
    await until('the server to be let go', () => closed);
  });

  it('ends an endless answer without silence after half of the timeout', async () => {
    await http.close();
    http = open(1_000);
    answer = (_, response) => {
      const beat = setInterval(() => response.write('\n'), 5);
      response.on('close', () => clearInterval(beat));
      response.writeHead(200).write('id: 1\n\n');
    };
    const address = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    const got = await http.request(address, 'a place', { quietMs: 50 }, signal);
    expect(new TextDecoder().decode(got.body)).toMatch(/^id: 1\n\n/);
  });

  it('follows no redirect, which could take a token elsewhere', async () => {
    let requests = 0;
    answer = (_, response) => {
      requests++;
      response.writeHead(302, { location: '/other' }).end();
    };
    expect((await get()).status).toBe(302);
    expect(requests).toBe(1);
  });

  it('reads no body beyond its limit, whether announced or not', async () => {
    answer = (request, response) => {
      if (request.url === '/announced') response.end('x'.repeat(1001));
      else response.write('x'.repeat(600), () => response.end('x'.repeat(600)));
    };
    for (const path of ['/announced', '/streamed']) {
      await expect(get(path)).rejects.toThrow(/longer than 1000 bytes/);
      await expect(get(path)).rejects.toBeInstanceOf(IncompleteRead);
    }
    answer = (_, response) => response.end('x'.repeat(1000));
    expect((await get()).body.byteLength).toBe(1000);
  });

  it.each([
    ['before the headers', () => undefined],
    ['within the body', (_: unknown, response: { write(text: string): unknown }) => response.write('[')],
  ])('fails on silence %s', async (_, listener) => {
    await http.close();
    http = open(200);
    answer = listener as RequestListener;
    await expect(get()).rejects.toMatchObject({ code: 'ERR_DIRECTORY_UNREACHABLE', retriable: true });
  });

  it('reports a truncated body as incomplete, and a refused connection as unreachable', async () => {
    answer = (_, response) => {
      response.writeHead(200, { 'content-length': '50' });
      response.write('[1,', () => response.destroy());
    };
    await expect(get()).rejects.toBeInstanceOf(IncompleteRead);
    answer = (request) => request.socket.destroy();
    await expect(get()).rejects.toMatchObject({ code: 'ERR_DIRECTORY_UNREACHABLE' });
  });

  it('rejects with the reason of the signal, even in the middle of a body', async () => {
    await http.close();
    // So long that only the signal can be what ends the request.
    http = createHttpClient({ provider: 'main', metrics: noMetrics, timeoutMs: 600_000 });
    const stopping = new AbortController();
    const reason = new Error('stopping');
    answer = (_, response) => response.write('[', () => stopping.abort(reason));
    await expect(get('/', stopping.signal)).rejects.toBe(reason);
    await expect(get('/', stopping.signal)).rejects.toBe(reason);
  });

  it('translates refusals without quoting the other side', () => {
    const body = Uint8Array.from(Buffer.from('client secret'));
    const codes = [401, 403, 408, 429, 500, 404, 302].map((status) => {
      const error = refusalOf({ status, headers: {}, body }, 'a place', systemClock);
      expect(error.message).not.toContain('secret');
      return `${status} ${error.code} ${error.retriable}`;
    });
    expect(codes).toEqual([
      '401 ERR_DIRECTORY_DENIED false',
      '403 ERR_DIRECTORY_DENIED false',
      '408 ERR_DIRECTORY_UNREACHABLE true',
      '429 ERR_DIRECTORY_RATE_LIMITED true',
      '500 ERR_DIRECTORY_UNREACHABLE true',
      '404 ERR_DIRECTORY_INCOMPLETE true',
      '302 ERR_DIRECTORY_INCOMPLETE false',
    ]);
  });

  it('computes a wait until a time by the other side’s clock', () => {
    const headers = { date: 'Wed, 25 Nov 2026 00:00:00 GMT', 'retry-after': 'Wed, 25 Nov 2026 00:00:30 GMT' };
    const answer = { status: 429, headers, body: new Uint8Array() };
    for (const ours of ['2026-11-24T23:40:00Z', '2026-11-25T00:20:00Z']) {
      const clock = { ...systemClock, now: () => Date.parse(ours) };
      expect(refusalOf(answer, 'a place', clock).retryAfterMs).toBe(30_000);
    }
  });

  it('accepts only complete JSON in UTF-8, and does not quote it', () => {
    for (const bytes of [
      Buffer.from('{"secret":"never-keep'),
      Buffer.from(''),
      Buffer.from([0x22, 0xff, 0x22]),
    ]) {
      const parse = () => parseJson({ status: 200, headers: {}, body: Uint8Array.from(bytes) }, 'a place');
      expect(parse).toThrow(IncompleteRead);
      expect(parse).not.toThrow(/never-keep/);
    }
  });

  it('reads how long to wait, as seconds or as a date', () => {
    const now = Date.parse('2026-11-25T00:00:00Z');
    expect(parseRetryAfter('7', now)).toBe(7000);
    expect(parseRetryAfter('Wed, 25 Nov 2026 00:00:30 GMT', now)).toBe(30_000);
    expect(parseRetryAfter('Tue, 24 Nov 2026 00:00:00 GMT', now)).toBe(0);
    expect(parseRetryAfter('999999999', now)).toBe(3_600_000);
    expect(parseRetryAfter('soon', now)).toBeUndefined();
    expect(parseRetryAfter(undefined, now)).toBeUndefined();
  });
});
