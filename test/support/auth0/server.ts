import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface ReceivedRequest {
  readonly method: string;
  /** Segments below `/api/v2`, decoded. */
  readonly segments: readonly string[];
  readonly query: URLSearchParams;
}

/** `stream`: server-sent events, after which the connection stays open unless streams end. */
export type Answer =
  | { readonly status?: number; readonly headers?: Record<string, string>; readonly json: unknown }
  | { readonly stream: string };

export interface Auth0ServerOptions {
  readonly clientId: string;
  readonly clientSecret: string;
  /** What the application may do; looked at with each request. */
  readonly permissions: () => ReadonlySet<string>;
  readonly answer: (asked: ReceivedRequest) => Answer | Promise<Answer>;
  readonly streamsEnd: () => boolean;
}

/** Which permission a collection takes (auth0.com/docs/api/management/v2). */
const PERMISSIONS: Readonly<Record<string, string>> = {
  clients: 'read:clients',
  'client-grants': 'read:client_grants',
  'resource-servers': 'read:resource_servers',
  logs: 'read:logs',
  roles: 'read:roles',
  users: 'read:users',
  events: 'read:events',
};

/** The HTTP side of a tenant: discovery, tokens, permissions; what it answers beyond that is the tenant's. */
export async function startAuth0Server(options: Auth0ServerOptions) {
  let tokens = 0;
  let valid = '';
  const authority = (origin: string) => ({
    issuer: `${origin}/`,
    authorization_endpoint: `${origin}/authorize`,
    token_endpoint: `${origin}/oauth/token`,
    jwks_uri: `${origin}/.well-known/jwks.json`,
  });
  const token = (body: string, origin: string): Answer => {
    const form = new URLSearchParams(body);
    const isClient =
      form.get('client_id') === options.clientId && form.get('client_secret') === options.clientSecret;
    if (!isClient)
      return { status: 401, json: { error: 'access_denied', error_description: 'Unauthorized' } };
    if (form.get('audience') !== `${origin}/api/v2/`)
      return { status: 403, json: { error: 'access_denied', error_description: 'Service not enabled' } };
    valid = `token-${++tokens}`;
    const scope = [...options.permissions()].join(' ');
    return { json: { access_token: valid, scope, expires_in: 86400, token_type: 'Bearer' } };
  };
  const guard = (request: IncomingMessage, collection: string): Answer | undefined => {
    if (request.headers.authorization !== `Bearer ${valid}`)
      return { status: 401, json: { statusCode: 401, error: 'Unauthorized', message: 'Invalid token' } };
    const needed = PERMISSIONS[collection];
    if (needed !== undefined && options.permissions().has(needed)) return undefined;
    const message = `Insufficient scope, expected any of: ${needed}`;
    const json = { statusCode: 403, error: 'Forbidden', message, errorCode: 'insufficient_scope' };
    return { status: 403, json };
  };

  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(Buffer.from(chunk));
    const url = new URL(request.url ?? '/', origin());
    const route = async (): Promise<Answer> => {
      if (url.pathname === '/.well-known/openid-configuration') return { json: authority(origin()) };
      if (url.pathname === '/oauth/token') return token(Buffer.concat(chunks).toString(), origin());
      if (!url.pathname.startsWith('/api/v2/')) return { status: 404, json: { statusCode: 404 } };
      const segments = url.pathname.slice('/api/v2/'.length).split('/').map(decodeURIComponent);
      const refused = guard(request, segments[0] ?? '');
      return (
        refused ?? options.answer({ method: request.method ?? 'GET', segments, query: url.searchParams })
      );
    };
    const answer = await route();
    if ('stream' in answer) {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(answer.stream);
      if (options.streamsEnd()) response.end();
      return;
    }
    response.writeHead(answer.status ?? 200, {
      'content-type': 'application/json; charset=utf-8',
      ...answer.headers,
    });
    response.end(JSON.stringify(answer.json));
  });
  const origin = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    origin: origin(),
    /** As if every token had expired or been withdrawn. */
    forgetTokens() {
      valid = '';
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
