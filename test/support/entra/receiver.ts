import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { RejectedEvent } from '../../../src/errors.js';
import type { EventSource, IdentityEvent } from '../../../src/identity/source.js';

/** The address to which Graph sends, before a source. */
export interface Receiver {
  readonly url: string;
  readonly events: IdentityEvent[];
  /** Undefined: 404 for everything. */
  source: EventSource | undefined;
  close(): Promise<void>;
}

export async function startReceiver(): Promise<Receiver> {
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const url = new URL(request.url ?? '/', 'http://localhost');
    const raw = {
      method: request.method ?? '',
      headers: {},
      query: Object.fromEntries(url.searchParams),
      body: Buffer.concat(chunks),
      receivedAt: '2026-03-01T12:00:00.000Z',
    };
    try {
      const reception = await self.source?.receive(raw);
      if (reception === undefined) response.writeHead(404).end();
      else if (reception.kind === 'reply')
        response.writeHead(reception.status, { 'content-type': reception.contentType }).end(reception.body);
      else {
        self.events.push(...reception.events);
        response.writeHead(202).end();
      }
    } catch (error) {
      response.writeHead(error instanceof RejectedEvent ? error.status : 500).end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const self: Receiver = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/events/main`,
    events: [],
    source: undefined,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return self;
}
