import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';

/** A server that refuses every login, and repeats the password in its answer. */
export interface TcpStandIn {
  /** HOST:PORT. */
  readonly address: string;
  received(): string;
  close(): Promise<void>;
}

export function startRedisStandIn(password: string): Promise<TcpStandIn> {
  const refusal = `-ERR unknown command 'AUTH', with args beginning with: 'user' '${password}'\r\n`;
  return start((socket, note) => {
    socket.on('data', (chunk) => {
      note(chunk);
      socket.write(refusal.repeat(4));
    });
  });
}

export function startKafkaStandIn(password: string): Promise<TcpStandIn> {
  return start((socket, note) => {
    let rest = Buffer.alloc(0);
    socket.on('data', (chunk) => {
      rest = Buffer.concat([rest, chunk]);
      while (rest.length >= 4 && rest.length >= 4 + rest.readInt32BE(0)) {
        const request = rest.subarray(4, 4 + rest.readInt32BE(0));
        rest = rest.subarray(4 + request.length);
        note(request);
        const body = brokerAnswer(request.readInt16BE(0), request.readInt16BE(2), password);
        const head = Buffer.alloc(8);
        head.writeInt32BE(4 + body.length, 0);
        request.copy(head, 4, 4, 8);
        socket.write(Buffer.concat([head, body]));
      }
    });
  });
}

const [API_VERSIONS, HANDSHAKE, AUTHENTICATE] = [18, 17, 36];

/** The answer of a broker that supports login alone. */
function brokerAnswer(apiKey: number, version: number, password: string): Buffer {
  const int16 = (value: number) => Buffer.from([(value >> 8) & 255, value & 255]);
  const int32 = (value: number) => Buffer.concat([int16(value >>> 16), int16(value & 0xffff)]);
  const string = (text: string) => Buffer.concat([int16(Buffer.byteLength(text)), Buffer.from(text)]);
  if (apiKey === API_VERSIONS) {
    const supported = [API_VERSIONS, HANDSHAKE, AUTHENTICATE].map((key) =>
      Buffer.concat([int16(key), int16(0), int16(key === AUTHENTICATE ? 0 : 1)]),
    );
    const throttle = version > 0 ? [int32(0)] : [];
    return Buffer.concat([int16(0), int32(supported.length), ...supported, ...throttle]);
  }
  if (apiKey === HANDSHAKE) return Buffer.concat([int16(0), int32(1), string('PLAIN')]);
  return Buffer.concat([int16(58), string(`no user with ${password}`), int32(0)]);
}

async function start(serve: (socket: Socket, note: (chunk: Buffer) => void) => void): Promise<TcpStandIn> {
  let received = '';
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => open.delete(socket));
    serve(socket, (chunk) => {
      received += chunk.toString();
    });
  });
  server.listen({ host: '127.0.0.1', port: 0 });
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    address: `127.0.0.1:${port}`,
    received: () => received,
    async close() {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
