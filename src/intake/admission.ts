import type { IncomingMessage, Server } from 'node:http';
import type { Socket } from 'node:net';

/** Who gets a connection when there are more than the process can hold. */
export interface Admission {
  /** The whole request is there and is being answered: its connection is not closed for another one. */
  answering(request: IncomingMessage): void;
  answered(request: IncomingMessage): void;
}

interface Connection {
  readonly address: string;
  isAnswering: boolean;
}

/**
 * Keeps at most `most` connections. A new one closes an older one that waits for its sender: the oldest of the address
 * that has the most. So a flood of unfinished requests, from one address or from many, evicts itself, and a probe or a
 * webhook that sends its request at once is answered. If every connection is being answered, the new one is closed.
 */
export function limitConnections(server: Server, most: number): Admission {
  /** In the order of their arrival, or of their last answer. */
  const connections = new Map<Socket, Connection>();
  const counts = new Map<string, number>();

  const count = (address: string, by: 1 | -1) => {
    const next = (counts.get(address) ?? 0) + by;
    if (next === 0) counts.delete(address);
    else counts.set(address, next);
  };
  const leave = (socket: Socket) => {
    const connection = connections.get(socket);
    if (connection === undefined) return;
    connections.delete(socket);
    count(connection.address, -1);
  };
  const oldestWaiting = () => {
    let found: Socket | undefined;
    let foundCount = 0;
    for (const [socket, { address, isAnswering }] of connections) {
      const ofAddress = counts.get(address) ?? 0;
      if (isAnswering || ofAddress <= foundCount) continue;
      found = socket;
      foundCount = ofAddress;
    }
    return found;
  };

  server.on('connection', (socket) => {
    if (connections.size >= most) {
      const evicted = oldestWaiting();
      if (evicted === undefined) {
        socket.destroy();
        return;
      }
      leave(evicted);
      evicted.destroy();
    }
    const address = socket.remoteAddress ?? '';
    connections.set(socket, { address, isAnswering: false });
    count(address, 1);
    socket.once('close', () => leave(socket));
  });

  return {
    answering({ socket }) {
      const connection = connections.get(socket);
      if (connection !== undefined) connection.isAnswering = true;
    },
    answered({ socket }) {
      const connection = connections.get(socket);
      if (connection === undefined) return;
      connection.isAnswering = false;
      connections.delete(socket);
      connections.set(socket, connection);
    },
  };
}
