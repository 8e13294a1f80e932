import { once } from 'node:events';
import { createServer, type ListenOptions } from 'node:net';

// Below the range that systems give to outgoing connections, so that nothing takes a port between the
// look and the start, and above the ports that Consul gives to sidecars on its own (21000 to 21255).
const FIRST_PORT = 22_000;
const LAST_PORT = 31_999;
const MAX_TRIES = 500;

const given = new Set<number>();

/** Ports of 127.0.0.1 that nothing listens on; a port is given once in the lives of all processes that ask here. */
export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  for (let tries = 0; ports.length < count; tries++) {
    if (tries > MAX_TRIES) throw new Error(`no ${count} free ports between ${FIRST_PORT} and ${LAST_PORT}`);
    const port = FIRST_PORT + Math.floor(Math.random() * (LAST_PORT - FIRST_PORT + 1));
    if (given.has(port) || !(await isFree(port)) || !(await isReserved(port))) continue;
    given.add(port);
    ports.push(port);
  }
  return ports;
}

/** One port of 127.0.0.1 that nothing listens on. */
export async function freePort(): Promise<number> {
  const [port] = await freePorts(1);
  if (port === undefined) throw new Error('no free port');
  return port;
}

async function isFree(port: number): Promise<boolean> {
  const server = await listen({ host: '127.0.0.1', port, exclusive: true });
  if (server === undefined) return false;
  server.close();
  await once(server, 'close');
  return true;
}

/**
 * Keeps the port from other runs on this machine until this process ends. Some servers listen seconds after they were given a
 * port, and two Envoys may even listen on the same one (SO_REUSEPORT): each would get a part of the calls. Only Linux has
 * such a name for a socket.
 */
async function isReserved(port: number): Promise<boolean> {
  if (process.platform !== 'linux') return true;
  const server = await listen({ path: `\0scopemesh-tests-port-${port}` });
  server?.unref();
  return server !== undefined;
}

async function listen(where: ListenOptions) {
  const server = createServer();
  try {
    const listening = once(server, 'listening');
    server.listen(where);
    await listening;
    return server;
  } catch {
    return undefined;
  }
}
