import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface FakeClient {
  id: string;
  clientId: string;
  [field: string]: unknown;
}

export interface FakeUser {
  readonly id: string;
  readonly username: string;
  enabled: boolean;
  /** Internal id of the client whose service account it is; Keycloak shows it nowhere. */
  readonly client?: string;
  /** Effective ones: by id, a client's role with its client id. */
  readonly roles: readonly FakeRole[];
}

export interface FakeRole {
  readonly id: string;
  readonly name: string;
  readonly client?: string;
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
  /** Empty, none is shown; otherwise those that clients have are there too. */
  scopes: { readonly id: string; readonly name: string; readonly roles?: readonly FakeRole[] }[] = [
    { id: randomUUID(), name: 'profile' },
  ];
  users: FakeUser[] = [];
  /** Whether the token may see users. */
  showsUsers = true;
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
    if (client.serviceAccountsEnabled && !client.publicClient) this.#makeAccount(client);
    return client;
  }

  remove(clientId: string): void {
    const gone = this.clients.find((client) => client.clientId === clientId);
    this.clients = this.clients.filter((client) => client !== gone);
    this.users = this.users.filter(({ client }) => client === undefined || client !== gone?.id);
  }

  addUser(username: string, more: Partial<FakeUser> = {}): FakeUser {
    const user = { id: randomUUID(), username, enabled: true, roles: [], ...more };
    this.users.push(user);
    this.users.sort((a, b) => (a.username < b.username ? -1 : 1));
    return user;
  }

  /** The service account of a client. */
  account(clientId: string): FakeUser {
    const client = this.clients.find((each) => each.clientId === clientId);
    const user = this.users.find((each) => each.client === client?.id);
    if (user === undefined) throw new Error(`${clientId} has no service account`);
    return user;
  }

  /** As an administrator deletes it: the client's own flag stays on. */
  removeAccount(clientId: string): void {
    const { id } = this.account(clientId);
    this.users = this.users.filter((user) => user.id !== id);
  }

  giveRoles(clientId: string, ...roles: readonly FakeRole[]): void {
    const account = this.account(clientId);
    this.users = this.users.map((user) => (user === account ? { ...user, roles } : user));
  }

  #makeAccount(client: FakeClient): FakeUser {
    return this.addUser(`service-account-${client.clientId.toLowerCase()}`, { client: client.id });
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
    else if (kind === 'client-scopes' && id === undefined) json(response, 200, this.#allScopes());
    else if (kind === 'client-scopes') this.#scopeMappings(path, response);
    else if (kind === 'users' && !this.showsUsers) json(response, 403, { error: 'HTTP 403 Forbidden' });
    else if (kind === 'users' && id === undefined) json(response, 200, page(this.#search(query)));
    else if (kind === 'users') this.#user(path, response);
    else if (kind === 'ui-ext') this.#clientRoles(path, response);
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
      else if (path[2] === 'service-account-user') {
        // The real one makes it where it is missing, unless somebody else bears its name.
        const made = this.users.find((user) => user.client === client.id);
        const isTaken = this.users.some(
          ({ username }) => username === `service-account-${client.clientId.toLowerCase()}`,
        );
        if (made === undefined && isTaken) json(response, 409, { error: 'conflict' });
        else json(response, 200, shown(made ?? this.#makeAccount(client)));
      } else if (path[2] === 'scope-mappings') json(response, 200, realmRoles(this.#mappedRoles(client)));
      else json(response, 200, client);
    } else json(response, 404, { error: 'HTTP 404 Not Found' });
  }

  #allScopes() {
    if (this.scopes.length === 0) return [];
    const held = this.clients.flatMap(({ defaultClientScopes, optionalClientScopes }) =>
      [defaultClientScopes, optionalClientScopes].filter(Array.isArray).flat(),
    );
    const missing = new Set(held.filter((name) => !this.scopes.some((scope) => scope.name === name)));
    this.scopes.push(...[...missing].map((name) => ({ id: randomUUID(), name })));
    return this.scopes.map(({ id, name }) => ({ id, name }));
  }

  #search(query: URLSearchParams) {
    const [username, search] = [query.get('username'), query.get('search')];
    const isExact = query.get('exact') === 'true';
    const found = this.users.filter((user) => {
      if (search?.startsWith('id:')) return user.id === search.slice(3);
      // A search by anything but the user name leaves service accounts out.
      if (search !== null) return user.client === undefined && user.username.startsWith(search);
      if (username === null) return user.client === undefined;
      return isExact ? user.username === username : user.username.includes(username);
    });
    return found.map(shown);
  }

  #user([, id, part]: readonly string[], response: ServerResponse): void {
    const user = this.users.find((each) => each.id === id);
    if (user === undefined) json(response, 404, { error: 'User not found' });
    else if (part === undefined) json(response, 200, shown(user));
    else json(response, 200, realmRoles(user.roles));
  }

  #scopeMappings(path: readonly string[], response: ServerResponse): void {
    const roles = this.scopes.find(({ id }) => id === path[1])?.roles ?? [];
    const isOfRealm = path[3] === 'realm';
    if (isOfRealm) json(response, 200, realmRoles(roles));
    else json(response, 200, roles.length === 0 ? {} : { realmMappings: realmRoles(roles) });
  }

  /** What its own scope mappings let into the tokens of a client, with what is within those roles. */
  #mappedRoles({ scopeRoles }: FakeClient): readonly FakeRole[] {
    return Array.isArray(scopeRoles) ? scopeRoles : [];
  }

  #clientRoles([, , kind, id]: readonly string[], response: ServerResponse): void {
    const client = this.clients.find((each) => each.id === id);
    const byKind: Readonly<Record<string, readonly FakeRole[] | undefined>> = {
      users: this.users.find((user) => user.id === id)?.roles,
      clientScopes: this.scopes.find((scope) => scope.id === id)?.roles,
      clients: client && this.#mappedRoles(client),
    };
    const roles = byKind[kind ?? ''] ?? [];
    json(
      response,
      200,
      roles.flatMap(({ id, name, client }) => (client === undefined ? [] : [{ id, role: name, client }])),
    );
  }
}

function shown({ id, username, enabled }: FakeUser): object {
  return { id, username, enabled };
}

function realmRoles(roles: readonly FakeRole[]): readonly object[] {
  return roles.filter(({ client }) => client === undefined).map(({ id, name }) => ({ id, name }));
}

export function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
