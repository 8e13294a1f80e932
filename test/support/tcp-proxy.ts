import { connect, createServer, type Socket } from 'node:net';
import { Transform } from 'node:stream';

export interface TcpProxy {
  readonly port: number;
  /** Where new connections go. */
  target: number;
  /** How long every piece of data waits, each way; 0 at first. Its order is kept. */
  delayMs: number;
  /** How many pieces of data wait now. */
  readonly waiting: number;
  /** How many connections came, also those that found no server behind. */
  readonly connections: number;
  /** Breaks every connection and lets none come through until `mend`. */
  cut(): Promise<void>;
  mend(): Promise<void>;
}

/** A way to a local port that can be cut, slowed down or led elsewhere without harm to the server behind it. */
export async function startTcpProxy(target: number): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  const delayed = () =>
    new Transform({
      transform(chunk, _encoding, done) {
        if (self.delayMs === 0) done(null, chunk);
        else {
          waiting++;
          setTimeout(() => {
            waiting--;
            done(null, chunk);
          }, self.delayMs);
        }
      },
    });
  let connections = 0;
  let waiting = 0;
  const server = createServer((near) => {
    connections++;
    const far = connect(self.target, '127.0.0.1');
    // The other side gets an error, as from a port where nothing listens.
    far.once('error', () => near.resetAndDestroy());
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('error', () => {});
      socket.on('close', () => {
        sockets.delete(socket);
        near.destroy();
        far.destroy();
      });
    }
    near.pipe(delayed()).pipe(far).pipe(delayed()).pipe(near);
  });
  const listen = (port: number) =>
    new Promise<void>((resolve) => server.listen(port, '127.0.0.1', () => resolve()));
  await listen(0);
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const self: TcpProxy = {
    port: address.port,
    target,
    delayMs: 0,
    get waiting() {
      return waiting;
    },
    get connections() {
      return connections;
    },
    async cut() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
    mend: () => listen(address.port),
  };
  return self;
}
