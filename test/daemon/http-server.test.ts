import { once } from 'node:events';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { createHttpServer } from '../../src/daemon/http-server.js';

let server: ReturnType<typeof createHttpServer> | undefined;
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await server?.close();
});

async function listen(limits: Parameters<typeof createHttpServer>[0]): Promise<number> {
  server = createHttpServer(limits);
  server.post('/', async () => 'read');
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

  it('accepts no more connections than its limit, and new ones once some have ended', async () => {
    const port = await listen({ connections: 2 });
    const [first] = [await open(port), await open(port)];
    const third = await open(port);
    await once(third, 'close');
    first.destroy();
    await once(first, 'close');
    await expect
      .poll(async () => (await fetch(`http://127.0.0.1:${port}/`, { method: 'POST' })).text())
      .toBe('read');
  });

  it('has a limit of connections by default', () => {
    server = createHttpServer();
    expect(server.server.maxConnections).toBeGreaterThan(100);
    expect(server.server.maxConnections).toBeLessThan(1024);
  });
});
