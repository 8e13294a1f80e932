import type { IncomingMessage, Server } from 'node:http';
import type { Socket } from 'node:net';
import { isIPv6 } from 'node:net';
import { groupBy } from '../model/group-by.js';

/** Who gets a connection when there are more than the process can hold. */
export interface Admission {
  /** The head of a request is there, its body is not. */
  receiving(request: IncomingMessage): void;
  /** The whole request is there and is being answered: its connection is not closed for another one. */
  answering(request: IncomingMessage): void;
  answered(request: IncomingMessage): void;
}

interface ConnectionLimits {
  /** Connections of all addresses. */
  readonly connections: number;
  /** Connections of one address. */
  readonly connectionsPerAddress: number;
  /** Requests of one address whose body is not complete. Each may keep as much memory as a body may have. */
  readonly unfinishedPerAddress: number;
  /** The same of all addresses together. */
  readonly unfinished: number;
}

/**
 * `evicted`: closed for a newer connection. `refused`: closed at once, because each connection that could be closed for
 * it is being answered or belongs to an address that has fewer. `unfinished`: closed for a newer request whose body is not complete.
 */
export type ClosedReason = 'evicted' | 'refused' | 'unfinished';

interface Connection {
  readonly address: string;
  /** `idle`: after an answer. */
  state: 'waiting' | 'receiving' | 'answering' | 'idle';
}

/**
 * Bounds the connections of a server. A new one closes an older one that waits for its sender: one of its own address if
 * that has its limit, otherwise one of the address that has the most. An address never closes a connection of another
 * one that has fewer. So a flood, of unfinished requests or of whole ones, from one address or from many, closes its own
 * connections, and a probe or a webhook that sends its request at once is answered.
 */
export function limitConnections(
  server: Server,
  limits: ConnectionLimits,
  onClosed: (address: string, reason: ClosedReason) => void = () => {},
): Admission {
  /** In the order of their arrival, or of their last request or answer. */
  const connections = new Map<Socket, Connection>();
  /** In the order of their arrival. Each has its own entry: one may follow others on its connection. */
  const unfinished = new Map<IncomingMessage, string>();
  /** Connections by address. Only addresses with a connection are in it. */
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
    for (const request of unfinished.keys()) if (request.socket === socket) unfinished.delete(request);
    count(connection.address, -1);
  };
  const renew = (socket: Socket, connection: Connection, state: Connection['state']) => {
    connection.state = state;
    connections.delete(socket);
    connections.set(socket, connection);
  };
  const close = (socket: Socket, address: string, reason: ClosedReason) => {
    leave(socket);
    socket.destroy();
    onClosed(address, reason);
  };
  /**
   * Chooses the connection to close: of the address with the most connections, first one that never sent a whole request,
   * of these the oldest. A probe or a proxy that uses its connection again keeps it as long as there is anything else
   * to close.
   */
  const nextToClose = (mayClose: (address: string) => boolean) => {
    let found: [Socket, Connection] | undefined;
    let highest = 0;
    for (const [socket, connection] of connections) {
      const { address, state } = connection;
      const rank = 2 * (counts.get(address) ?? 0) + (state === 'idle' ? 0 : 1);
      if (state === 'answering' || rank <= highest || !mayClose(address)) continue;
      found = [socket, connection];
      highest = rank;
    }
    return found;
  };

  server.on('connection', (socket) => {
    const address = addressGroup(socket.remoteAddress ?? '');
    const own = counts.get(address) ?? 0;
    const isAddressFull = own >= limits.connectionsPerAddress;
    if (isAddressFull || connections.size >= limits.connections) {
      const next = nextToClose(
        (each) => each === address || (!isAddressFull && (counts.get(each) ?? 0) > own),
      );
      if (next === undefined) {
        socket.destroy();
        onClosed(address, 'refused');
        return;
      }
      close(next[0], next[1].address, 'evicted');
    }
    connections.set(socket, { address, state: 'waiting' });
    count(address, 1);
    socket.once('close', () => leave(socket));
  });

  return {
    receiving(request) {
      const { socket } = request;
      const connection = connections.get(socket);
      if (connection === undefined) return;
      // A newer connection must not end the answer to an earlier request on the same one.
      if (connection.state !== 'answering') renew(socket, connection, 'receiving');
      const { address } = connection;
      unfinished.set(request, address);
      const own = [...unfinished].filter(([, each]) => each === address);
      const excess = own.length > limits.unfinishedPerAddress ? own : [];
      const [oldest] = unfinished.size > limits.unfinished ? ofBusiest(unfinished) : excess;
      if (oldest !== undefined) close(oldest[0].socket, oldest[1], 'unfinished');
    },
    answering(request) {
      const { socket } = request;
      unfinished.delete(request);
      const connection = connections.get(socket);
      if (connection !== undefined) connection.state = 'answering';
    },
    answered(request) {
      const { socket } = request;
      unfinished.delete(request);
      const connection = connections.get(socket);
      if (connection === undefined) return;
      const isFollowed = [...unfinished.keys()].some((each) => each.socket === socket);
      renew(socket, connection, isFollowed ? 'receiving' : 'idle');
    },
  };
}

/** The requests of the address that has the most; of several such addresses, of the one with the oldest request. */
function ofBusiest(requests: ReadonlyMap<IncomingMessage, string>): readonly [IncomingMessage, string][] {
  const byAddress = groupBy(requests, ([, address]) => address);
  return [...byAddress.values()].toSorted((a, b) => b.length - a.length)[0] ?? [];
}

/** What counts as one address: an IPv4 address, or the /64 of an IPv6 address, which one machine may have all of. */
export function addressGroup(address: string): string {
  const [, mapped] = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address) ?? [];
  if (mapped !== undefined) return mapped;
  const [bare = ''] = address.split('%');
  if (!isIPv6(bare)) return address;
  const [head = '', tail = ''] = bare.toLowerCase().split('::');
  const groups = (text: string) => (text === '' ? [] : text.split(':'));
  const [before, after] = [groups(head), groups(tail)];
  const zeros = new Array<string>(Math.max(0, 8 - before.length - after.length)).fill('0');
  const network = [...before, ...zeros, ...after].slice(0, 4).map((group) => group.replace(/^0+(?=.)/, ''));
  return `${network.join(':')}::/64`;
}
