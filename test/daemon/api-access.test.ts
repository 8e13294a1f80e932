import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect, it } from 'vitest';
import { createApiAccess, sendRefusal } from '../../src/daemon/api-access.js';
import { createHttpServer } from '../../src/daemon/http-server.js';
import { Secret } from '../../src/model/secret.js';

it('a request with two Host headers is not from this machine, whichever comes first', async () => {
  const server = createHttpServer();
  const local = { token: new Secret('token'), path: '/state/api-token' };
  const access = createApiAccess({ host: '127.0.0.1', tokens: [], local });
  server.get('/', async (request, reply) => {
    const refusal = access.readRefusal(request);
    return refusal === undefined ? 'read' : sendRefusal(reply, refusal);
  });
  await server.listen({ host: '127.0.0.1', port: 0 });
  const { port } = server.server.address() as AddressInfo;
  const ask = async (hosts: readonly string[]) => {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    const lines = hosts.map((host) => `Host: ${host}\r\n`);
    socket.end(`GET / HTTP/1.1\r\n${lines.join('')}Connection: close\r\n\r\n`);
    return (await text(socket)).split(' ')[1];
  };

  try {
    expect(await ask(['localhost'])).toBe('200');
    expect(await ask(['localhost', 'evil.test'])).toBe('403');
    expect(await ask(['evil.test', 'localhost'])).toBe('403');
    expect(await ask(['localhost', 'localhost'])).toBe('403');
  } finally {
    await server.close();
  }
});
