import { createHash, createHmac, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type IdpClient, secretOf } from '../../test/support/idp.js';

/** The generic provider: a document with an ETag, one client alone, and signed events. Built for large documents. */
export interface IdentityProvider {
  readonly origin: string;
  readonly directoryUrl: string;
  readonly directoryToken: string;
  readonly webhookSecret: string;
  /** Answered so far. */
  readonly requests: { documents: number; unchanged: number; clients: number };
  get(clientId: string): IdpClient;
  put(...clients: readonly IdpClient[]): void;
  change(clientId: string, change: Partial<IdpClient>): void;
  /** A signed event about a client, as Standard Webhooks has it. */
  sign(type: string, clientId: string): SignedEvent;
  close(): Promise<void>;
}

export interface SignedEvent {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Consul keeps each connection that it reads keys over, one or two for each auth method, until the other side closes it. */
const CLOSE = { connection: 'close' };

/** `keys`: what `/jwks` answers, for Consul's auth methods. */
export async function startIdentityProvider(keys: readonly object[] = []): Promise<IdentityProvider> {
  const clients = new Map<string, IdpClient>();
  let document: { readonly text: Buffer; readonly etag: string } | undefined;
  const requests = { documents: 0, unchanged: 0, clients: 0 };
  const webhookSecret = secretOf(7);
  const signingKey = Buffer.from(webhookSecret.slice('whsec_'.length), 'base64');
  let origin = '';

  const answer = (request: IncomingMessage, response: ServerResponse) => {
    const path = request.url ?? '';
    if (path === '/directory') return answerDocument(request, response);
    if (path.startsWith('/directory/')) {
      requests.clients++;
      const client = clients.get(decodeURIComponent(path.slice('/directory/'.length)));
      return client === undefined ? send(response, 404, '{}') : send(response, 200, JSON.stringify(client));
    }
    if (path === '/.well-known/openid-configuration') {
      const discovery = {
        issuer: origin,
        jwks_uri: `${origin}/jwks`,
        authorization_endpoint: `${origin}/authorize`,
        id_token_signing_alg_values_supported: ['RS256'],
      };
      return send(response, 200, JSON.stringify(discovery), CLOSE);
    }
    if (path === '/jwks') return send(response, 200, JSON.stringify({ keys }), CLOSE);
    send(response, 404, '{}');
  };
  const answerDocument = (request: IncomingMessage, response: ServerResponse) => {
    if (document === undefined) {
      const text = Buffer.from(JSON.stringify({ single: true, clients: [...clients.values()] }));
      document = { text, etag: `"${createHash('sha256').update(text).digest('hex')}"` };
    }
    const { text, etag } = document;
    if (request.headers['if-none-match'] === etag) {
      requests.unchanged++;
      response.writeHead(304, { etag }).end();
      return;
    }
    requests.documents++;
    send(response, 200, text, { etag });
  };

  const server = createServer(answer);
  server.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  origin = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
  const self: IdentityProvider = {
    origin,
    directoryUrl: `${origin}/directory`,
    directoryToken: 'directory-token-0123456789',
    webhookSecret,
    requests,
    get(clientId) {
      const client = clients.get(clientId);
      if (client === undefined) throw new Error(`no client ${clientId}`);
      return client;
    },
    put(...added) {
      for (const client of added) clients.set(client.clientId, client);
      document = undefined;
    },
    change: (clientId, change) => self.put({ ...self.get(clientId), ...change }),
    sign(type, clientId) {
      const body = JSON.stringify({ type, data: { clientId } });
      const id = `msg_${randomUUID()}`;
      const seconds = String(Math.floor(Date.now() / 1000));
      const signature = createHmac('sha256', signingKey).update(`${id}.${seconds}.${body}`).digest('base64');
      return {
        body,
        headers: {
          'content-type': 'application/json',
          'webhook-id': id,
          'webhook-timestamp': seconds,
          'webhook-signature': `v1,${signature}`,
        },
      };
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return self;
}

function send(
  response: ServerResponse,
  status: number,
  body: string | Buffer,
  headers: Readonly<Record<string, string>> = {},
): void {
  const length = String(Buffer.byteLength(body));
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': length, ...headers });
  response.end(body);
}
