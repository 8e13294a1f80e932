import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** An address that is known before the daemon's is, and passes on to it what comes. */
export interface Relay {
  readonly url: string;
  /** Undefined: 502. */
  target: string | undefined;
  close(): Promise<void>;
}

export async function startRelay(): Promise<Relay> {
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    if (self.target === undefined) {
      response.writeHead(502).end();
      return;
    }
    const body = Buffer.concat(chunks);
    const headers = { 'content-type': request.headers['content-type'] ?? 'application/json' };
    const answer = await fetch(`${self.target}${request.url}`, { method: 'POST', headers, body });
    const type = answer.headers.get('content-type') ?? '';
    response.writeHead(answer.status, { 'content-type': type }).end(await answer.text());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const self: Relay = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/events/main`,
    target: undefined,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return self;
}
