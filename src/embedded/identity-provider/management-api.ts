import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { z } from 'zod';
import type { Secret } from '../../model/secret.js';
import { readBody } from '../read-body.js';
import { applyPatch, parseClientBody, toDocument } from './client-document.js';
import type { ClientStore, StoredClient } from './client-store.js';
import { type PersonStore, parsePersonBody } from './person-store.js';
import type { SignPersonToken } from './person-token.js';

export interface ManagementApiOptions {
  readonly store: ClientStore;
  readonly people: PersonStore;
  readonly signPersonToken: SignPersonToken;
  /** Every write needs it. */
  readonly managementToken: Secret;
  /** Reading the directory needs it too. */
  readonly readsNeedToken: boolean;
  /** Clients per page of the directory. */
  readonly pageSize: number;
  readonly onSessionRevoked: (subject: string, clientId: string | undefined) => void;
}

interface Answer {
  readonly status: number;
  readonly json?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Whether the request is for this API. The token server has the same port. */
export function isManagementPath(url: string): boolean {
  return /^\/(directory|clients|people|sessions)(\/|\?|$)/.test(url);
}

/**
 * ```
 * GET    /directory                     the `oidc` document, page by page, with ETag
 * GET    /directory/<id>                one client; 404 names the id
 * PUT    /clients/<id>                  creates or replaces
 * PATCH  /clients/<id>                  changes the given fields
 * DELETE /clients/<id>
 * POST   /clients/<id>/scopes/<scope>   grants one scope; DELETE removes it
 * POST   /clients/<id>/compromised      reports its secret as compromised
 * POST   /clients/<id>/secret           creates a new secret, which only this answer contains
 * PUT    /people/<subject>             creates or replaces: { enabled, groups }
 * DELETE /people/<subject>
 * POST   /people/<subject>/token       ?client=<id>: an access token of the person, as this client would get it
 * POST   /sessions/<subject>/revoked    ?client=<id>: only the session of one client
 * ```
 */
export function createManagementApi(options: ManagementApiOptions): RequestListener {
  return (request, response) => {
    answer(request, options)
      .catch(toErrorAnswer)
      .then((result) => write(request, response, result));
  };
}

async function answer(request: IncomingMessage, options: ManagementApiOptions): Promise<Answer> {
  const { store, people, managementToken, readsNeedToken, onSessionRevoked } = options;
  const url = new URL(`http://idp.invalid${request.url ?? '/'}`);
  const [collection = '', id, part, name, ...rest] = url.pathname.slice(1).split('/').map(decodeURIComponent);
  const method = request.method === 'HEAD' ? 'GET' : (request.method ?? '');
  const isRead = method === 'GET' && collection === 'directory';
  if ((!isRead || readsNeedToken) && !isAuthorised(request, managementToken))
    return problem(401, 'unauthorized', {}, { 'www-authenticate': 'Bearer realm="management"' });
  const client = url.searchParams.get('client') ?? undefined;
  const isPart = (expected: string) => part === expected && name === undefined;
  const post = (respond: () => Answer | Promise<Answer>) =>
    method === 'POST' ? respond() : methodNotAllowed('POST');
  if (rest.length > 0) return notFound();
  switch (collection) {
    case 'directory':
      if (part !== undefined) return notFound();
      if (method !== 'GET') return methodNotAllowed('GET');
      return id === undefined ? readDirectory(url, request, options) : readClient(id, store);
    case 'sessions':
      if (!id || !isPart('revoked')) return notFound();
      return post(() => {
        onSessionRevoked(id, client);
        return { status: 204 };
      });
    case 'people':
      if (!id || name !== undefined) return notFound();
      if (part === undefined) return changePerson(method, id, request, people);
      return part === 'token' ? post(() => issuePersonToken(id, client ?? '', options)) : notFound();
    case 'clients':
      if (!id) return notFound();
      if (part === undefined) return changeClient(method, id, request, store);
      if (part === 'scopes' && name) return changeScope(method, id, name, store);
      if (isPart('compromised'))
        return post(() => (store.reportCompromised(id) ? { status: 204 } : noClient(id)));
      if (!isPart('secret')) return notFound();
      return post(() => {
        const rotated = store.rotateSecret(id);
        return rotated === undefined ? noClient(id) : { status: 200, json: withSecret(rotated) };
      });
    default:
      return notFound();
  }
}

function readDirectory(url: URL, request: IncomingMessage, options: ManagementApiOptions): Answer {
  const { store, people, pageSize } = options;
  const after = url.searchParams.get('after') ?? '';
  const found = store.list(after, pageSize + 1);
  const clients = found.slice(0, pageSize);
  const last = clients.at(-1);
  const json = {
    clients: clients.map(toDocument),
    ...(after === '' ? { people: people.list() } : {}),
    single: true,
    revision: store.revision + people.changes,
    ...(found.length > pageSize && last ? { next: `?after=${encodeURIComponent(last.clientId)}` } : {}),
  };
  const etag = `"${createHash('sha256').update(JSON.stringify(json)).digest('base64url')}"`;
  const known = request.headers['if-none-match']?.split(',').map((each) => each.trim()) ?? [];
  if (known.includes(etag)) return { status: 304, headers: { etag } };
  return { status: 200, json, headers: { etag } };
}

function readClient(id: string, store: ClientStore): Answer {
  const client = store.get(id);
  return client === undefined ? noClient(id) : { status: 200, json: toDocument(client) };
}

async function changeClient(
  method: string,
  id: string,
  request: IncomingMessage,
  store: ClientStore,
): Promise<Answer> {
  const before = store.get(id);
  if (method === 'PUT') {
    const client = store.put(parseClientBody(await readJson(request), id));
    if (before === undefined) return { status: 201, json: withSecret(client) };
    return { status: 200, json: toDocument(client) };
  }
  if (method === 'PATCH') {
    const json = await readJson(request);
    const current = store.get(id);
    if (current === undefined) return noClient(id);
    return { status: 200, json: toDocument(store.put(applyPatch(json, current))) };
  }
  if (method === 'DELETE') return store.delete(id) ? { status: 204 } : noClient(id);
  return methodNotAllowed('PUT, PATCH, DELETE');
}

async function changePerson(
  method: string,
  subject: string,
  request: IncomingMessage,
  people: PersonStore,
): Promise<Answer> {
  if (method === 'PUT')
    return { status: 200, json: people.put(parsePersonBody(await readJson(request), subject)) };
  if (method === 'DELETE') return people.delete(subject) ? { status: 204 } : noPerson(subject);
  return methodNotAllowed('PUT, DELETE');
}

async function issuePersonToken(
  subject: string,
  clientId: string,
  { people, store, signPersonToken }: ManagementApiOptions,
): Promise<Answer> {
  const person = people.get(subject);
  const client = store.get(clientId);
  if (!person?.enabled) return noPerson(subject);
  if (!client?.enabled) return noClient(clientId);
  return {
    status: 200,
    json: {
      access_token: await signPersonToken(person, client),
      token_type: 'Bearer',
      expires_in: client.accessTokenLifetimeSeconds,
    },
  };
}

function changeScope(method: string, id: string, scope: string, store: ClientStore): Answer {
  const client = store.get(id);
  if (client === undefined) return noClient(id);
  if (method !== 'POST' && method !== 'DELETE') return methodNotAllowed('POST, DELETE');
  const others = client.scopes.filter((each) => each !== scope);
  const scopes = method === 'POST' ? [...others, scope] : others;
  return { status: 200, json: toDocument(store.put(applyPatch({ scopes }, client))) };
}

const MAX_BODY_BYTES = 256 * 1024;

async function readJson(request: IncomingMessage): Promise<unknown> {
  const body = await readBody(request, MAX_BODY_BYTES);
  if (body === undefined) throw new RangeError('the request body is too long');
  return JSON.parse(body.toString('utf8'));
}

/** Digests have the same length, so the comparison reveals nothing about the token. */
function isAuthorised(request: IncomingMessage, managementToken: Secret): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(
    digest(request.headers.authorization ?? ''),
    digest(`Bearer ${managementToken.reveal()}`),
  );
}

function withSecret(client: StoredClient): unknown {
  return { ...toDocument(client), clientSecret: client.secret.reveal() };
}

function toErrorAnswer(error: unknown): Answer {
  if (error instanceof z.ZodError) return problem(400, 'invalid', { message: z.prettifyError(error) });
  if (error instanceof RangeError) return problem(413, 'too_long');
  if (error instanceof SyntaxError || error instanceof TypeError || error instanceof URIError) {
    return problem(400, 'invalid', { message: error.message });
  }
  return problem(500, 'internal');
}

function noClient(clientId: string): Answer {
  return problem(404, 'not_found', { clientId });
}

function noPerson(subject: string): Answer {
  return problem(404, 'not_found', { subject });
}

function notFound(): Answer {
  return problem(404, 'no_such_path');
}

function methodNotAllowed(allow: string): Answer {
  return problem(405, 'method_not_allowed', {}, { allow });
}

function problem(status: number, error: string, more: object = {}, headers: Answer['headers'] = {}): Answer {
  return { status, json: { error, ...more }, headers };
}

function write(request: IncomingMessage, response: ServerResponse, result: Answer): void {
  const body = result.json === undefined ? '' : `${JSON.stringify(result.json)}\n`;
  response.writeHead(result.status, {
    'cache-control': 'no-cache',
    ...(body === '' ? {} : { 'content-type': 'application/json' }),
    ...(result.status === 413 ? { connection: 'close' } : {}),
    ...result.headers,
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}
