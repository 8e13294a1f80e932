import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface FakeClient {
  id: string;
  clientId: string;
  [field: string]: unknown;
}

/** Answers one request in place of the fake; true once it has. */
export type Fault = (url: URL, response: ServerResponse, request: IncomingMessage) => boolean;

/**
 * Just enough of Keycloak's token endpoint and Admin API to make it fail in ways that the real one cannot be
 * brought to. What it answers when nothing is wrong is checked against the real one by the stack tests.
 */
export class FakeKeycloak {
  readonly realm = 'main';
  clients: FakeClient[] = [];
  scopes = [{ id: randomUUID(), name: 'profile' }];
  /** Newest first. */
  events: unknown[] = [];
  eventConfig: Record<string, unknown> = { adminEventsEnabled: true, adminEventsDetailsEnabled: true };
  realmFields: Record<string, unknown> = { realm: 'main', accessTokenLifespan: 300 };
  /** The realm's public keys, as JWKs. */
  keys: readonly object[] = [];
  fault: Fault = () => false;
  /** Tokens given out; only the newest is valid. */
  tokens = 0;
  tokenLifetimeSeconds = 300;
  readonly requests: string[] = [];
  readonly #server = createServer((request, response) => this.#answer(request, response));

  constructor() {
    this.add('account', { publicClient: true });
    this.add('realm-management', { bearerOnly: true });
    this.add('scopemesh');
  }

  async start(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return this;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  get address(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get issuer(): string {
    return `${this.address}/realms/${this.realm}`;
  }

  add(clientId: string, fields: Record<string, unknown> = {}): FakeClient {
    const client = {
      id: randomUUID(),
      clientId,
      enabled: true,
      protocol: 'openid-connect',
      secret: 'never-keep-this',
      serviceAccountsEnabled: true,
      publicClient: false,
      attributes: {},
      defaultClientScopes: ['profile'],
      optionalClientScopes: [],
      ...fields,
    };
    this.clients.push(client);
    this.clients.sort((a, b) => (a.clientId < b.clientId ? -1 : 1));
    return client;
  }

  remove(clientId: string): void {
    this.clients = this.clients.filter((client) => client.clientId !== clientId);
  }

  count(part: string): number {
    return this.requests.filter((request) => request.includes(part)).length;
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? '/', this.address);
    this.requests.push(`${request.method} ${url.pathname}${url.search}`);
    request.resume();
    if (this.fault(url, response, request)) return;
    const path = url.pathname.split('/').slice(1).map(decodeURIComponent);
    if (path.at(-1) === 'openid-configuration') {
      const at = `${this.issuer}/protocol/openid-connect`;
      const endpoints = { token_endpoint: `${at}/token`, jwks_uri: `${at}/certs` };
      json(response, 200, { issuer: this.issuer, ...endpoints });
    } else if (path.at(-1) === 'certs') {
      json(response, 200, { keys: this.keys });
    } else if (path.at(-1) === 'token') {
      const access_token = `token-${++this.tokens}`;
      json(response, 200, { access_token, token_type: 'Bearer', expires_in: this.tokenLifetimeSeconds });
    } else if (request.headers.authorization !== `Bearer token-${this.tokens}`) {
      json(response, 401, { error: 'HTTP 401 Unauthorized' });
    } else if (path[2] !== this.realm) {
      json(response, 404, { error: 'Realm not found.' });
    } else {
      this.#admin(path.slice(3), url.searchParams, response);
    }
  }

  #admin(path: readonly string[], query: URLSearchParams, response: ServerResponse): void {
    const first = Number(query.get('first') ?? 0);
    const max = Number(query.get('max') ?? 1_000_000);
    const page = <T>(list: readonly T[]) => list.slice(first, first + max);
    const [kind, id] = path;
    if (kind === undefined) json(response, 200, this.realmFields);
    else if (kind === 'client-scopes') json(response, 200, this.scopes);
    else if (kind === 'events') json(response, 200, this.eventConfig);
    else if (kind === 'admin-events') {
      const from = Number(query.get('dateFrom') ?? 0);
      const events = this.events.filter((event) => (event as { time: number }).time >= from);
      json(response, 200, page(query.get('direction') === 'asc' ? events.reverse() : events));
    } else if (kind === 'clients' && id === undefined) {
      const wanted = query.get('clientId');
      json(
        response,
        200,
        page(this.clients.filter((client) => wanted === null || client.clientId === wanted)),
      );
    } else if (kind === 'clients') {
      const client = this.clients.find((each) => each.id === id);
      if (client === undefined) json(response, 404, { error: 'Could not find client' });
      else json(response, 200, client);
    } else json(response, 404, { error: 'HTTP 404 Not Found' });
  }
}

export function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
