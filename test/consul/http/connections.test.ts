import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect as connectTo, createServer as createNetServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { mapBounded } from '../../../src/limiter.js';
import { noMetrics, silentLogger } from '../../../src/observe.js';
import { until } from '../../support/until.js';
import { CONSUL_HEADERS, connect, failureOf } from './fault-server.js';

const never = new AbortController().signal;
const named = (name: string) => ({ partition: 'default', namespace: 'default', name });
const REFUSAL =
  'HTTP/1.1 429 Too Many Requests\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\ntoo many';

/** A server that takes so many connections, as Consul does for each address; each further one is answered 429 at once. */
async function limited(limit: number, at: { host: string } | { path: string } = { host: '127.0.0.1' }) {
  const hanging: ServerResponse[] = [];
  const seen: string[] = [];
  const state = { limit, attempts: 0, isClosing: false, isHanging: (_: IncomingMessage) => false };
  const http = createServer((request, response) => {
    request.resume();
    if (request.url !== '/v1/status/leader') seen.push(`${request.method} ${request.url}`);
    for (const [name, value] of Object.entries(CONSUL_HEADERS)) response.setHeader(name, value);
    if (state.isClosing) response.setHeader('connection', 'close');
    if (state.isHanging(request)) hanging.push(response);
    else if (request.method === 'GET') response.end('[]');
    else response.end('true');
  });
  const sockets = new Set<Socket>();
  const server = createNetServer((socket) => {
    state.attempts++;
    socket.on('error', () => {});
    if (sockets.size >= state.limit) return void socket.end(REFUSAL);
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    http.emit('connection', socket);
  });
  await new Promise<void>((resolve) => server.listen('path' in at ? at : { ...at, port: 0 }, resolve));
  const bound = server.address();
  const port = typeof bound === 'object' && bound !== null ? bound.port : 0;
  const address = 'path' in at ? `unix://${at.path}` : `http://127.0.0.1:${port}`;
  const counted: string[] = [];
  const warnings: string[] = [];
  const consul = connect(address, {
    metrics: { ...noMetrics, count: (name) => counted.push(name) },
    logger: { ...silentLogger, warn: (_, message) => warnings.push(message) },
  });
  onTestFinished(async () => {
    await consul.close();
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return {
    ...{ consul, hanging, seen, state, counted, warnings },
    open: () => sockets.size,
    /** Another process of the same address takes all connections that are left. */
    async takeRest() {
      const before = sockets.size;
      const taken = Array.from({ length: state.limit - before }, () => connectTo(port, '127.0.0.1'));
      onTestFinished(() => {
        for (const each of taken) each.destroy();
      });
      await until('all are taken', () => sockets.size >= state.limit);
    },
  };
}

const isList = ({ method, url }: IncomingMessage) => method === 'GET' && url?.includes('?') === true;
const refused = (counted: readonly string[]) =>
  counted.filter((each) => each === 'scopemesh_consul_connections_refused_total').length;

describe('the connections to Consul', () => {
  it('are as many as Consul takes, and none of 600 writes fails for that', async () => {
    const { consul, seen, open, counted, warnings } = await limited(10);
    const names = Array.from({ length: 600 }, (_, at) => named(`d-${at}`));
    const results = await mapBounded(names, { width: 256 }, (name) =>
      consul.intentions.write(name, undefined, [], 0, never),
    );
    expect(results.every(({ kind }) => kind === 'written')).toBe(true);
    expect(seen).toHaveLength(600);
    expect(open()).toBeLessThanOrEqual(10);
    expect(refused(counted)).toBeGreaterThan(0);
    expect(warnings).toHaveLength(1);
  });

  it('are opened ahead: a change is made although others took all that were left', async () => {
    const { consul, open, takeRest } = await limited(20);
    await consul.intentions.list(never);
    await until('some are open', () => open() >= 5);
    await takeRest();
    const names = Array.from({ length: 50 }, (_, at) => named(`d-${at}`));
    await mapBounded(names, { width: 16 }, (name) => consul.intentions.delete(name, 7, never));
    expect(open()).toBe(20);
  });

  it('are not all used by reads, so that changes wait for none of them', async () => {
    const { consul, state, hanging } = await limited(20);
    state.isHanging = isList;
    const reads = Array.from({ length: 40 }, () => failureOf(consul.intentions.list(never)));
    await until('reads hang', () => hanging.length >= 10);
    expect(await consul.intentions.delete(named('d'), 7, never)).toEqual({ kind: 'written' });
    expect(hanging.length).toBeLessThanOrEqual(16);
    await consul.close();
    await Promise.all(reads);
  });

  it('carry reads one after the other where there are two, and no blocking query', async () => {
    const { consul } = await limited(2);
    await Promise.all(Array.from({ length: 20 }, () => consul.intentions.list(never)));
    const stop = new AbortController();
    const watched = consul.watch('intentions', { changed() {}, alive: () => stop.abort() }, stop.signal);
    await Promise.all(Array.from({ length: 20 }, () => consul.intentions.delete(named('d'), 7, never)));
    expect(stop.signal.aborted).toBe(false);
    stop.abort();
    await watched;
  });

  it('that Consul refuses at all make each request fail, and are not tried for each', async () => {
    const { consul, state, counted, warnings } = await limited(0);
    for (let at = 0; at < 50; at++)
      expect(await failureOf(consul.intentions.list(never))).toMatchObject({
        code: 'ERR_CONSUL_UNREACHABLE',
        retriable: true,
        message: expect.stringContaining('http_max_conns_per_client'),
      });
    expect(state.attempts).toBeLessThan(20);
    expect(refused(counted)).toBe(state.attempts);
    expect(warnings).toHaveLength(1);
    state.limit = 20;
    await until('Consul takes them again', () =>
      consul.intentions.list(never).then(
        () => true,
        () => false,
      ),
    );
  });

  it('are opened again once Consul takes more', async () => {
    const { consul, state, open } = await limited(2);
    await consul.intentions.list(never);
    state.limit = 20;
    await until('more are open', async () => {
      await consul.intentions.list(never);
      return open() >= 5;
    });
  });

  it('that are left are counted, and closed again', async () => {
    const { consul, open, state } = await limited(20);
    expect(await consul.connectionsLeft(32, never)).toBe(20);
    await until('they are closed', () => open() === 0);
    state.limit = 64;
    expect(await consul.connectionsLeft(32, never)).toBe(32);
  });

  it('carry every request although a proxy ends each after one answer, and come to an end', async () => {
    const { consul, state, seen, open, hanging } = await limited(20);
    state.isClosing = true;
    for (let at = 0; at < 10; at++) await consul.intentions.list(never);
    for (let at = 0; at < 10; at++)
      expect(await consul.intentions.delete(named('d'), 7, never)).toEqual({ kind: 'written' });
    expect(seen).toHaveLength(20);
    // While one hangs, none is opened ahead over and over.
    state.isHanging = isList;
    const stop = new AbortController();
    const hung = consul.intentions.list(stop.signal).catch(() => 'aborted');
    await until('a read hangs', () => hanging.length === 1);
    for (let at = 0; at < 10; at++) await consul.intentions.delete(named('d'), 7, never);
    stop.abort();
    expect(await hung).toBe('aborted');
    await until('all are closed', () => open() === 0);
    expect(state.attempts).toBeLessThan(80);
  });

  it('go to a Unix socket', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'socket-'));
    onTestFinished(() => rm(directory, { recursive: true }));
    const path = join(directory, 'http.sock');
    const { consul, seen } = await limited(20, { path });
    await consul.intentions.list(never);
    expect(await consul.intentions.delete(named('d'), 7, never)).toEqual({ kind: 'written' });
    expect(seen.map((each) => each.split('?')[0])).toEqual([
      'GET /v1/config/service-intentions',
      'DELETE /v1/config/service-intentions/d',
    ]);
  });
});
