import { createServer } from 'node:http';
import { systemClock } from '../../../src/clock.js';
import { createOidcSource } from '../../../src/identity/oidc/webhook.js';
import type { IdentityEvent } from '../../../src/identity/source.js';
import { Secret } from '../../../src/model/secret.js';

export interface ReceivedEvent {
  readonly id: string;
  readonly type: string;
  readonly content: unknown;
  readonly timestamp: string;
  /** As the source of the provider kind `oidc` understood it, signature and all. */
  readonly event: IdentityEvent | undefined;
}

export interface EventReceiver {
  readonly url: string;
  readonly secret: Secret;
  readonly received: ReceivedEvent[];
  /** Statuses to answer with before 204, one a request; each refused request is in `refused`. */
  readonly failures: number[];
  readonly refused: string[];
  close(): Promise<void>;
}

/** An endpoint for webhooks that verifies what comes in as the daemon would. */
export async function startEventReceiver(): Promise<EventReceiver> {
  const secret = new Secret(`whsec_${Buffer.alloc(32, 7).toString('base64')}`);
  const source = createOidcSource({ provider: 'main', secrets: [secret], clock: systemClock });
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    const header = (name: string) => String(request.headers[name] ?? '');
    const failure = self.failures.shift();
    if (failure !== undefined) {
      self.refused.push(header('webhook-id'));
      response.writeHead(failure).end();
      return;
    }
    const headers = Object.fromEntries(Object.keys(request.headers).map((name) => [name, header(name)]));
    const receivedAt = new Date(systemClock.now()).toISOString();
    const raw = { method: 'POST', headers, query: {}, body: new Uint8Array(body), receivedAt };
    try {
      const reception = await source.receive(raw);
      const { type, data } = JSON.parse(body.toString('utf8'));
      self.received.push({
        id: header('webhook-id'),
        timestamp: header('webhook-timestamp'),
        type,
        content: data,
        event: reception.kind === 'events' ? reception.events[0] : undefined,
      });
      response.writeHead(204).end();
    } catch (error) {
      self.refused.push(String(error));
      response.writeHead(401).end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const self: EventReceiver = {
    url: `http://127.0.0.1:${port}/events/main`,
    secret,
    received: [],
    failures: [],
    refused: [],
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return self;
}
