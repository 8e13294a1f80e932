import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import { secretOf } from './idp.js';

export interface Received {
  readonly id: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface WebhookReceiver {
  readonly url: string;
  /** `whsec_…` that senders should use. */
  readonly secret: string;
  /** Every request, whatever was answered. */
  readonly received: Received[];
  /** The IDs of the requests that got a 2xx, in order. */
  readonly taken: string[];
  /** The answer to a request; by default 204. It may answer itself, or never, and give back undefined. */
  answer: (
    request: Received,
    response: ServerResponse,
  ) => { readonly status: number; readonly headers?: Readonly<Record<string, string>> } | undefined;
  close(): Promise<void>;
}

/** A receiver of webhooks on this machine; it ends with the test. */
export async function startWebhookReceiver(): Promise<WebhookReceiver> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString('utf8');
      const got = { id: String(request.headers['webhook-id']), headers: request.headers, body };
      self.received.push(got);
      const answer = self.answer(got, response);
      if (answer === undefined) return;
      if (answer.status < 300) self.taken.push(got.id);
      response.writeHead(answer.status, answer.headers ?? {}).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  let closing: Promise<void> | undefined;
  const self: WebhookReceiver = {
    url: `http://127.0.0.1:${port}/decisions`,
    secret: secretOf(5),
    received: [],
    taken: [],
    answer: () => ({ status: 204 }),
    close() {
      closing ??= new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
      return closing;
    },
  };
  onTestFinished(() => self.close());
  return self;
}
