import { EventEmitter, once } from 'node:events';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { createHttpServer } from '../../src/daemon/http-server.js';

let server: ReturnType<typeof createHttpServer> | undefined;
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await server?.close();
});

async function listen(
  limits: Parameters<typeof createHttpServer>[0],
  answer: () => Promise<string> = async () => 'read',
): Promise<number> {
  server = createHttpServer(limits);
  server.post('/', answer);
  await server.listen({ host: '127.0.0.1', port: 0 });
  return (server.server.address() as AddressInfo).port;
}

async function open(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  sockets.push(socket);
  await once(socket, 'connect');
  return socket;
}

describe('the HTTP server', () => {
  it('ends a request whose body does not come, soon after its time is up', async () => {
    const port = await listen({ requestMs: 100, checkMs: 20 });
    const socket = await open(port);
    socket.write('POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\nx');
    const [answer] = await once(socket, 'data');
    expect(String(answer)).toMatch(/^HTTP\/1\.1 408 /);
    await once(socket, 'close');
  });

  it('closes the oldest unfinished request for a new connection, once there are as many as it takes', async () => {
    const port = await listen({ connections: 2 });
    const [first, second] = [await open(port), await open(port)];
    const ended = once(first, 'close');
    const third = await open(port);
    await ended;
    expect(second.destroyed).toBe(false);
    third.write('POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n');
    const [answer] = await once(third, 'data');
    expect(String(answer)).toMatch(/^HTTP\/1\.1 200 /);
  });

  it('closes no connection whose request is being answered', async () => {
    const events = new EventEmitter();
    const started = once(events, 'started');
    const port = await listen({ connections: 1 }, async () => {
      events.emit('started');
      await once(events, 'finish');
      return 'slow';
    });
    const first = await open(port);
    first.write('POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n');
    await started;
    const second = await open(port);
    await once(second, 'close');
    events.emit('finish');
    const [answer] = await once(first, 'data');
    expect(String(answer)).toMatch(/slow$/);
  });

  it('closes a connection that does not take its answer', async () => {
    const answers = new EventEmitter();
    const port = await listen({ connections: 2 }, async () => {
      setImmediate(() => answers.emit('given'));
      return 'x'.repeat(16_000_000);
    });
    for (let count = 0; count < 2; count++) {
      const socket = await open(port);
      socket.pause();
      const given = once(answers, 'given');
      socket.write('POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n');
      await given;
    }
    const third = await open(port);
    third.write('POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n');
    const [answer] = await Promise.race([once(third, 'data'), once(third, 'close')]);
    expect(String(answer)).toMatch(/^HTTP\/1\.1 200 /);
  });

  it('answers each of ten probes while 1,200 requests from one address stay unfinished', async () => {
    const port = await listen({ connections: 100 });
    const flood = async () => {
      const socket = await open(port).catch(() => undefined);
      socket?.write('POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nx');
    };
    for (let probe = 0; probe < 10; probe++) {
      await Promise.all(Array.from({ length: 120 }, flood));
      const answer = await fetch(`http://127.0.0.1:${port}/`, { method: 'POST' });
      expect(await answer.text()).toBe('read');
    }
  });
});
