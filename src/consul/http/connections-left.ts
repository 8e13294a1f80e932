import { connect, type Socket } from 'node:net';
import type { Address } from './address.js';

/** Consul answers a connection that it refuses at once, before any request. */
const QUIET_MS = 300;
const LONGEST_MS = 5_000;

/** How many more connections Consul takes from this address now, up to `most`. They are closed again at once. */
export async function connectionsLeft(
  { origin, socketPath }: Address,
  most: number,
  signal: AbortSignal,
): Promise<number> {
  signal.throwIfAborted();
  const { protocol, hostname, port } = new URL(origin);
  const place =
    socketPath === undefined
      ? { host: hostname.replace(/[[\]]/g, ''), port: Number(port) || (protocol === 'https:' ? 443 : 80) }
      : { path: socketPath };
  const sockets = Array.from({ length: most }, () => connect(place));
  try {
    const taken = await Promise.all(sockets.map((socket) => isTaken(socket)));
    return taken.filter(Boolean).length;
  } finally {
    for (const socket of sockets) socket.destroy();
  }
}

function isTaken(socket: Socket): Promise<boolean> {
  return new Promise((resolve) => {
    const refuse = () => resolve(false);
    for (const event of ['data', 'end', 'close', 'error']) socket.on(event, refuse);
    socket.setTimeout(LONGEST_MS, refuse);
    socket.on('connect', () => setTimeout(() => resolve(true), QUIET_MS));
  });
}
