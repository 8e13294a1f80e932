import { randomUUID } from 'node:crypto';
import { fieldOf } from '../../src/model/field-of.js';

/** An OAuth client as the Admin REST API takes it; what is left out gets the defaults of `createClient`. */
export interface ClientRepresentation {
  clientId?: string;
  secret?: string;
  enabled?: boolean;
  attributes?: Record<string, string>;
  [field: string]: unknown;
}

export type ScopeKind = 'default' | 'optional';

/** An answer of Keycloak that is not 2xx. */
class KeycloakAnswer extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.name = 'KeycloakAnswer';
    this.status = status;
  }
}

// What the directory and the poll of the admin events need to read, and no more.
const READER_ROLES = ['view-clients', 'query-clients', 'view-realm', 'view-events', 'view-users'];
// The first realm takes a busy machine long.
const CALL_TIMEOUT_MS = 60_000;

/**
 * The administrator's side of a Keycloak under test: what a person does in the admin console. Clients and
 * scopes are named as people name them; their internal ids are looked up once.
 */
export class KeycloakAdmin {
  readonly #address: string;
  readonly #login: { username: string; password: string };
  readonly #ids = new Map<string, string>();
  #access: { token: string; renewAt: number } | undefined;

  constructor(address: string, login: { username: string; password: string }) {
    this.#address = address;
    this.#login = login;
  }

  /** Whether the server is up to the point of letting its administrator in. */
  async canLogIn(): Promise<boolean> {
    this.#access = undefined;
    return (await this.#accessToken()) !== '';
  }

  /** One call below `/admin/realms`, or of an absolute path; parsed JSON, undefined when empty. Throws `KeycloakAnswer`. */
  async request(method: string, path: string, body?: unknown): Promise<unknown> {
    return (await this.#send(method, path, body)).body;
  }

  /** A realm whose admin events are kept with their details and go to the webhook extension. */
  async createRealm(realm: string, fields: Record<string, unknown> = {}): Promise<void> {
    await this.#send('POST', '', {
      realm,
      enabled: true,
      sslRequired: 'none',
      eventsEnabled: true,
      adminEventsEnabled: true,
      adminEventsDetailsEnabled: true,
      eventsListeners: ['jboss-logging', 'ext-event-webhook'],
      ...fields,
    });
  }

  async deleteRealm(realm: string): Promise<void> {
    await this.#send('DELETE', `/${realm}`);
    for (const key of this.#ids.keys()) if (key.startsWith(`${realm}/`)) this.#ids.delete(key);
  }

  /** A confidential client with a service account, unless `fields` say otherwise. Returns its internal id. */
  async createClient(realm: string, clientId: string, fields: ClientRepresentation = {}): Promise<string> {
    const client = {
      clientId,
      enabled: true,
      protocol: 'openid-connect',
      publicClient: false,
      serviceAccountsEnabled: true,
      standardFlowEnabled: false,
      ...fields,
    };
    const { location } = await this.#send('POST', `/${realm}/clients`, client);
    return this.#remember(`${realm}/client/${clientId}`, location);
  }

  /** Sends `fields` alone, as a partial update. */
  async updateClient(realm: string, clientId: string, fields: ClientRepresentation): Promise<void> {
    await this.#send('PUT', `/${realm}/clients/${await this.clientUuid(realm, clientId)}`, fields);
  }

  async deleteClient(realm: string, clientId: string): Promise<void> {
    await this.#send('DELETE', `/${realm}/clients/${await this.clientUuid(realm, clientId)}`);
    this.#ids.delete(`${realm}/client/${clientId}`);
  }

  /** Returns the new secret. */
  async rotateSecret(realm: string, clientId: string): Promise<string> {
    const id = await this.clientUuid(realm, clientId);
    return textOf(await this.request('POST', `/${realm}/clients/${id}/client-secret`), 'value');
  }

  /** Returns the scope's internal id. */
  async createClientScope(
    realm: string,
    name: string,
    fields: Record<string, unknown> = {},
  ): Promise<string> {
    const scope = { name, protocol: 'openid-connect', ...fields };
    const { location } = await this.#send('POST', `/${realm}/client-scopes`, scope);
    return this.#remember(`${realm}/scope/${name}`, location);
  }

  async deleteClientScope(realm: string, name: string): Promise<void> {
    await this.#send('DELETE', `/${realm}/client-scopes/${await this.#scopeId(realm, name)}`);
    this.#ids.delete(`${realm}/scope/${name}`);
  }

  async addScope(realm: string, clientId: string, scope: string, kind: ScopeKind = 'default'): Promise<void> {
    await this.#send('PUT', await this.#scopePath(realm, clientId, scope, kind));
  }

  async removeScope(
    realm: string,
    clientId: string,
    scope: string,
    kind: ScopeKind = 'default',
  ): Promise<void> {
    await this.#send('DELETE', await this.#scopePath(realm, clientId, scope, kind));
  }

  /** The client's internal id. */
  async clientUuid(realm: string, clientId: string): Promise<string> {
    const key = `${realm}/client/${clientId}`;
    const known = this.#ids.get(key);
    if (known !== undefined) return known;
    const path = `/${realm}/clients?clientId=${encodeURIComponent(clientId)}`;
    return this.#remember(key, textOf(firstOf(await this.request('GET', path), clientId), 'id'));
  }

  /** Makes the extension deliver every event of the realm to `url`, signed with `secret`. Returns the webhook's id. */
  async registerWebhook(realm: string, webhook: { url: string; secret: string }): Promise<string> {
    const body = { enabled: true, eventTypes: ['*'], ...webhook };
    const { location } = await this.#send('POST', `/realms/${realm}/webhooks`, body);
    return location.split('/').at(-1) ?? '';
  }

  async deleteWebhook(realm: string, id: string): Promise<void> {
    await this.#send('DELETE', `/realms/${realm}/webhooks/${id}`);
  }

  /** The client that scopemesh itself reads the realm with, holding the least roles that this takes. */
  async createReader(
    realm: string,
    clientId = 'scopemesh',
  ): Promise<{ clientId: string; clientSecret: string }> {
    const clientSecret = randomUUID();
    await this.createClient(realm, clientId, { secret: clientSecret, fullScopeAllowed: true });
    await this.grantClientRoles(realm, clientId, 'realm-management', READER_ROLES);
    return { clientId, clientSecret };
  }

  /** Gives roles of the client `container` to the service account of `clientId`. */
  async grantClientRoles(realm: string, clientId: string, container: string, roles: string[]): Promise<void> {
    const user = await this.#serviceAccount(realm, clientId);
    const containerId = await this.clientUuid(realm, container);
    const found = [];
    for (const role of roles) {
      found.push(
        await this.request('GET', `/${realm}/clients/${containerId}/roles/${encodeURIComponent(role)}`),
      );
    }
    await this.#send('POST', `/${realm}/users/${user}/role-mappings/clients/${containerId}`, found);
  }

  async createRealmRole(realm: string, name: string): Promise<void> {
    await this.#send('POST', `/${realm}/roles`, { name });
  }

  async grantRealmRole(realm: string, clientId: string, role: string): Promise<void> {
    await this.#realmRole('POST', realm, clientId, role);
  }

  async revokeRealmRole(realm: string, clientId: string, role: string): Promise<void> {
    await this.#realmRole('DELETE', realm, clientId, role);
  }

  /** An access token by client credentials, as a workload gets it. */
  async clientAccessToken(
    realm: string,
    clientId: string,
    clientSecret: string,
    scope?: string,
  ): Promise<string> {
    const form = { grant_type: 'client_credentials', client_id: clientId, client_secret: clientSecret };
    const answer = await this.#obtain(realm, { ...form, ...(scope === undefined ? {} : { scope }) });
    return textOf(answer, 'access_token');
  }

  async #realmRole(method: string, realm: string, clientId: string, role: string): Promise<void> {
    const user = await this.#serviceAccount(realm, clientId);
    const found = await this.request('GET', `/${realm}/roles/${encodeURIComponent(role)}`);
    await this.#send(method, `/${realm}/users/${user}/role-mappings/realm`, [found]);
  }

  async #serviceAccount(realm: string, clientId: string): Promise<string> {
    const id = await this.clientUuid(realm, clientId);
    return textOf(await this.request('GET', `/${realm}/clients/${id}/service-account-user`), 'id');
  }

  async #scopePath(realm: string, clientId: string, scope: string, kind: ScopeKind): Promise<string> {
    const client = await this.clientUuid(realm, clientId);
    return `/${realm}/clients/${client}/${kind}-client-scopes/${await this.#scopeId(realm, scope)}`;
  }

  async #scopeId(realm: string, name: string): Promise<string> {
    const key = `${realm}/scope/${name}`;
    const known = this.#ids.get(key);
    if (known !== undefined) return known;
    const scopes = await this.request('GET', `/${realm}/client-scopes`);
    const found = Array.isArray(scopes) ? scopes.find((scope) => textOf(scope, 'name') === name) : undefined;
    if (found === undefined) throw new Error(`realm ${realm} has no client scope ${name}`);
    return this.#remember(key, textOf(found, 'id'));
  }

  // Keycloak answers a POST with the address of what it made, which ends in its id.
  #remember(key: string, location: string): string {
    const id = location.split('/').at(-1) ?? '';
    this.#ids.set(key, id);
    return id;
  }

  async #send(method: string, path: string, body?: unknown): Promise<{ body: unknown; location: string }> {
    const url = `${this.#address}${path.startsWith('/realms/') ? path : `/admin/realms${path}`}`;
    const answer = await fetch(url, {
      method,
      headers: {
        authorization: `Bearer ${await this.#accessToken()}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      signal: AbortSignal.timeout(CALL_TIMEOUT_MS),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (!answer.ok) {
      throw new KeycloakAnswer(answer.status, `${method} ${path}: ${answer.status} ${text.slice(0, 500)}`);
    }
    return {
      body: text === '' ? undefined : JSON.parse(text),
      location: answer.headers.get('location') ?? '',
    };
  }

  // The administrator's tokens live for a minute.
  async #accessToken(): Promise<string> {
    if (this.#access === undefined || performance.now() > this.#access.renewAt) {
      const form = { grant_type: 'password', client_id: 'admin-cli', ...this.#login };
      const answer = await this.#obtain('master', form);
      const lifetimeMs = Number(fieldOf(answer, 'expires_in')) * 1000;
      this.#access = { token: textOf(answer, 'access_token'), renewAt: performance.now() + lifetimeMs / 2 };
    }
    return this.#access.token;
  }

  async #obtain(realm: string, form: Record<string, string>): Promise<unknown> {
    const answer = await fetch(`${this.#address}/realms/${realm}/protocol/openid-connect/token`, {
      method: 'POST',
      body: new URLSearchParams(form),
      signal: AbortSignal.timeout(CALL_TIMEOUT_MS),
    });
    const text = await answer.text();
    if (!answer.ok)
      throw new KeycloakAnswer(answer.status, `token of ${realm}: ${answer.status} ${text.slice(0, 200)}`);
    return JSON.parse(text);
  }
}

function firstOf(list: unknown, name: string): unknown {
  if (!Array.isArray(list) || list.length === 0) throw new Error(`Keycloak has no ${name}`);
  return list[0];
}

function textOf(value: unknown, field: string): string {
  const text = fieldOf(value, field);
  if (typeof text !== 'string') throw new Error(`Keycloak's answer has no ${field}`);
  return text;
}
