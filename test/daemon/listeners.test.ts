import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { Rig } from '../support/daemon.js';
import { ordersRig } from '../support/orders-rig.js';

let rig: Rig;
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await rig.close();
});

const statusOf = async (url: string, init: RequestInit = {}) => {
  const answer = await fetch(url, init);
  await answer.body?.cancel();
  return answer.status;
};

describe('a daemon with http.admin', () => {
  const http = { listen: '127.0.0.1:0', admin: '127.0.0.1:0' };

  it('serves events at http.listen, everything else at http.admin, and the probes at both', async () => {
    rig = await ordersRig({ file: { http } });
    const { address, admin, send } = await rig.start();
    expect(await send({ type: 'client.updated', data: { clientId: 'web-app' } })).toBe(202);
    for (const origin of [address, admin])
      for (const path of ['/healthz', '/readyz']) expect(await statusOf(origin + path)).toBe(200);
    for (const path of ['/statusz', '/metrics']) {
      expect(await statusOf(admin + path)).toBe(200);
      expect(await statusOf(address + path)).toBe(404);
    }
    expect(await statusOf(`${address}/api/holds/1/approve`, { method: 'POST' })).toBe(404);
    expect(await statusOf(`${admin}/events/main`, { method: 'POST' })).toBe(404);
  });

  it('answers status and metrics while http.listen is full of unfinished requests', async () => {
    rig = await ordersRig({ file: { http } });
    const { address, admin } = await rig.start();
    const { hostname, port } = new URL(address);
    for (let count = 0; count < 600; count++) {
      const socket = connect(Number(port), hostname);
      socket.on('error', () => {});
      socket.write('POST /events/main HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nx');
      sockets.push(socket);
    }
    for (const path of ['/healthz', '/statusz', '/metrics']) expect(await statusOf(admin + path)).toBe(200);
  });
});

describe('a daemon that other machines reach', () => {
  it('says at its start that it has no tokens, takes events, and still obeys a command on its machine', async () => {
    rig = await ordersRig({ file: { http: { listen: '0.0.0.0:0' } } });
    const { admin, send, post } = await rig.start();
    expect(rig.logs.filter((line) => line.includes('http.tokens is empty'))).toHaveLength(1);
    expect(await send({ type: 'client.updated', data: { clientId: 'web-app' } })).toBe(202);
    expect(await statusOf(`${admin}/metrics`)).toBe(401);
    expect((await post('/api/holds/none/approve', { user: 'alice' })).status).toBe(404);
  });
});
