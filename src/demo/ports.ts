import { createServer, type Server } from 'node:net';
import { SyncError } from '../errors.js';

const HOST = '127.0.0.1';

export interface PortWish {
  /** What it is for, in messages. */
  readonly name: string;
  readonly preferred: number;
  /** The port was asked for: another one will not do. 0 takes any. */
  readonly isExplicit: boolean;
}

/** The wished port if it is free, else any free one. Throws ERR_CONFIG if it was asked for and is taken. */
export async function choosePort(wish: PortWish): Promise<number> {
  const probe = createServer();
  const port = await listenNear(probe, wish.preferred);
  await new Promise<void>((resolve) => probe.close(() => resolve()));
  if (wish.isExplicit && wish.preferred !== 0 && port !== wish.preferred) {
    const message = `demo: port ${wish.preferred} for ${wish.name} is taken; choose another, or leave the option out for a free one`;
    throw new SyncError('ERR_CONFIG', message, { retriable: false });
  }
  return port;
}

/** Listens on the loopback at `preferred`, or at any free port if that one cannot be had. Resolves to the port. */
export async function listenNear(server: Server, preferred: number): Promise<number> {
  return (await listen(server, preferred)) ?? (await listen(server, 0)) ?? fail();
}

function listen(server: Server, port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const onError = () => resolve(undefined);
    server.once('error', onError);
    server.listen({ host: HOST, port }, () => {
      server.off('error', onError);
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : undefined);
    });
  });
}

function fail(): never {
  throw new SyncError('ERR_CONFIG', 'demo: no port of the loopback can be had', { retriable: false });
}
