import { EventEmitter, once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { systemClock } from '../../../src/clock.js';
import { EntryCodes } from '../../../src/console/session/entry-codes.js';
import { addSession } from '../../../src/console/session/session-api.js';
import { Sessions } from '../../../src/console/session/sessions.js';
import { createApiAccess, onlyCallers } from '../../../src/daemon/api-access.js';
import { addChange, ChangeBody } from '../../../src/daemon/api-change.js';
import { createHttpServer } from '../../../src/daemon/http-server.js';
import { PERSONS_ROLES, type PersonsRole } from '../../../src/daemon/rights.js';
import { principalText } from '../../../src/model/cause.js';
import { Secret } from '../../../src/model/secret.js';
import { noMetrics, silentLogger } from '../../../src/observe.js';
import { createEmbeddedStore, type EmbeddedStore } from '../../../src/queue/embedded/store.js';
import { newDirectory } from '../../support/use-directory.js';

const FILE = 'token-of-the-file';
const MINUTE = 60_000;
const SESSION = z.object({ token: z.string(), session: z.object({ endsAt: z.string() }) });

const clock = { ...systemClock, now: () => now };
let directory: string;
let store: EmbeddedStore;
let now = 0;
let port = 0;
let server: ReturnType<typeof createHttpServer>;
let sessions: Sessions;
let access: ReturnType<typeof createApiAccess>;

beforeEach(async () => {
  now = Date.parse('2026-01-31T12:00:00Z');
  server = createHttpServer();
  directory = newDirectory();
  store = openStore();
  sessions = new Sessions(store.sessions, LIMITS, clock);
  access = createApiAccess({
    host: '127.0.0.1',
    tokens: [{ name: 'ci', token: new Secret('token-of-ci'), approve: true }],
    local: { token: new Secret(FILE), path: '/state/api-token' },
    findSession: (token, isUse) => sessions.find(token, isUse),
  });
  server.addHook('onRequest', access.readSession);
  const instance = () => ({ name: 'payments', mode: 'enforce', version: '1.0.0', commit: null });
  const codes = new EntryCodes(clock);
  addSession(server, { access, sessions, codes, clients: new Map(), instance, logger: silentLogger });
  server.get('/api/data', { preHandler: onlyCallers(access) }, async () => 'orders');
  const change = { access, standby: async () => undefined, logger: silentLogger };
  addChange(server, '/api/act', 'freeze', change, ChangeBody, async ({ by, reply }) =>
    reply.send({ by: principalText(by) }),
  );
  await server.listen({ host: '127.0.0.1', port: 0 });
  ({ port } = server.server.address() as AddressInfo);
});
afterEach(async () => {
  await server.close();
  await store.close();
});

const LIMITS = {
  idleMs: 30 * MINUTE,
  longestMs: 8 * 60 * MINUTE,
  freshMs: 15 * MINUTE,
  roles: { operator: ['/platform'] },
  login: [],
};
function openStore(): EmbeddedStore {
  return createEmbeddedStore({ directory, logger: silentLogger, metrics: noMetrics, clock });
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
  readonly raw: string;
}

/** Sends exactly these headers; null leaves one out. */
async function send(
  line: string,
  headers: Readonly<Record<string, string | null>> = {},
  body?: object,
): Promise<Answer> {
  const payload = body === undefined ? '' : JSON.stringify(body);
  const all = {
    Host: `127.0.0.1:${port}`,
    Connection: 'close',
    ...(body === undefined
      ? {}
      : { 'Content-Type': 'application/json', 'Content-Length': `${Buffer.byteLength(payload)}` }),
    ...headers,
  };
  const lines = Object.entries(all).flatMap(([name, value]) => (value === null ? [] : [`${name}: ${value}`]));
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  socket.write(`${line} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n${payload}`);
  const raw = await text(socket);
  const [head = '', content = ''] = raw.split(/\r\n\r\n/, 2);
  const isJson = content.startsWith('{');
  return { status: Number(head.split(' ')[1]), body: isJson ? JSON.parse(content) : content, raw };
}

const bearer = { Authorization: `Bearer ${FILE}` };
/** What a browser sends with a request of the console's own page. */
const page = () => ({ Origin: `http://127.0.0.1:${port}`, 'Sec-Fetch-Site': 'same-origin' });
const as = (token: string) => ({ ...page(), Authorization: `Session ${token}` });

async function makeCode(user = 'ana'): Promise<string> {
  const { body } = await send('POST /api/session/code', bearer, { user });
  return z.object({ code: z.string() }).parse(body).code;
}

async function signIn(): Promise<string> {
  const answer = await send('POST /api/session', page(), { code: await makeCode() });
  expect(answer.status).toBe(201);
  return SESSION.parse(answer.body).token;
}

const statusWith = async (headers: Readonly<Record<string, string | null>>, line = 'GET /api/data') =>
  (await send(line, headers, line.startsWith('POST') ? {} : undefined)).status;

it('a code signs in once, and the session reads, acts as its person, and ends', async () => {
  const token = await signIn();
  const { body } = await send('GET /api/session', as(token));
  expect(body).toMatchObject({
    person: { id: 'local', name: 'ana' },
    roles: ['viewer', 'approver', 'operator'],
    may: { read: true, approve: true, freeze: true },
    instance: { name: 'payments', mode: 'enforce' },
    endsAt: '2026-01-31T12:30:00.000Z',
  });
  expect(await statusWith(as(token))).toBe(200);
  expect((await send('POST /api/act', as(token), {})).body).toEqual({ by: 'local (ana)' });
  expect(await statusWith(as(token), 'DELETE /api/session')).toBe(204);
  expect(await statusWith(as(token))).toBe(401);
});

it('refuses a code that was used, that is 61 s old, or that nobody made', async () => {
  const used = await makeCode();
  const enter = (code: string) => send('POST /api/session', page(), { code });
  expect((await enter(used)).status).toBe(201);
  expect((await enter(used)).status).toBe(401);
  const old = await makeCode();
  now += 61_000;
  expect((await enter(old)).status).toBe(401);
  expect((await enter('A'.repeat(22))).status).toBe(401);
  expect((await enter('../../etc/passwd')).status).toBe(400);
});

it('keeps the last 16 codes, so that a flood of codes costs nothing', async () => {
  const first = await makeCode();
  const later: string[] = [];
  for (let at = 0; at < 16; at++) later.push(await makeCode());
  expect((await send('POST /api/session', page(), { code: first })).status).toBe(401);
  expect((await send('POST /api/session', page(), { code: later[0] })).status).toBe(201);
});

it('makes a code only for the token file: no session prolongs itself, and no token of http.tokens opens one', async () => {
  const token = await signIn();
  const ask = async (headers: Readonly<Record<string, string>>) =>
    (await send('POST /api/session/code', headers, {})).status;
  expect(await ask(as(token))).toBe(403);
  expect(await ask({ Authorization: 'Bearer token-of-ci' })).toBe(403);
  expect(await ask({})).toBe(401);
  expect(await ask({ ...bearer, ...page() })).toBe(403);
});

it('gives a new token at each sign-in, whatever token the request brings', async () => {
  const [one, two] = [await signIn(), await signIn()];
  expect(one).toMatch(/^[\w-]{43}$/);
  expect(two).not.toBe(one);
  const chosen = { ...page(), Authorization: `Session ${'A'.repeat(43)}` };
  expect((await send('POST /api/session', chosen, { code: await makeCode() })).status).toBe(400);
  expect(await statusWith(chosen)).toBe(401);
});

it.each<[string, (token: string) => Readonly<Record<string, string | null>>, number, number]>([
  ['the own page', as, 200, 200],
  ['another origin', (token) => ({ ...as(token), Origin: 'https://evil.test' }), 403, 403],
  [
    'an origin of the same machine with another port',
    (token) => ({ ...as(token), Origin: 'http://127.0.0.1:1' }),
    403,
    403,
  ],
  ['the origin null, as of a sandbox', (token) => ({ ...as(token), Origin: 'null' }), 403, 403],
  [
    'two origins in one',
    (token) => ({ ...as(token), Origin: `http://127.0.0.1:${port}, http://evil.test` }),
    403,
    403,
  ],
  ['no origin', (token) => ({ ...as(token), Origin: null }), 200, 403],
  ['no Sec-Fetch-Site', (token) => ({ ...as(token), 'Sec-Fetch-Site': null }), 200, 403],
  ['Sec-Fetch-Site: cross-site', (token) => ({ ...as(token), 'Sec-Fetch-Site': 'cross-site' }), 403, 403],
  ['Sec-Fetch-Site: same-site', (token) => ({ ...as(token), 'Sec-Fetch-Site': 'same-site' }), 403, 403],
  ['Sec-Fetch-Site: none', (token) => ({ ...as(token), 'Sec-Fetch-Site': 'none' }), 403, 403],
  [
    'a name that was rebound to this machine',
    (token) => ({ ...as(token), Host: `evil.test:${port}`, Origin: `http://evil.test:${port}` }),
    403,
    403,
  ],
  ['a proxy', (token) => ({ ...as(token), 'X-Forwarded-For': '192.0.2.1' }), 403, 403],
  ['no token', (token) => ({ ...as(token), Authorization: null }), 403, 403],
  ['another scheme', (token) => ({ ...as(token), Authorization: `Bearer ${token}` }), 403, 403],
  ['a token file with the headers of a page', () => ({ ...page(), ...bearer }), 403, 403],
])('answers a request with %s', async (_name, headersOf, read, change) => {
  const headers = headersOf(await signIn());
  expect(await statusWith(headers)).toBe(read);
  expect(await statusWith(headers, 'POST /api/act')).toBe(change);
});

it('refuses a sign-in that does not come from the own page on this machine, and keeps the code', async () => {
  const code = await makeCode();
  const enter = async (headers: Readonly<Record<string, string | null>>, line = 'POST /api/session') =>
    (await send(line, headers, { code })).status;
  expect(await enter({})).toBe(403);
  expect(await enter({ ...page(), Origin: 'https://evil.test' })).toBe(403);
  expect(await enter({ ...page(), 'Sec-Fetch-Site': 'cross-site' })).toBe(403);
  expect(await enter({ ...page(), Host: 'evil.test', Origin: 'http://evil.test' })).toBe(403);
  expect(await enter({ ...page(), 'Content-Type': 'text/plain' })).toBe(415);
  expect(await enter(page())).toBe(201);
});

it.each<[string, Readonly<Record<string, string>>]>([
  ['a length and chunks', { 'Content-Length': '2', 'Transfer-Encoding': 'chunked' }],
  ['two lengths', { 'Content-Length': '2', 'content-length': '40' }],
  ['a coding that hides chunks', { 'Transfer-Encoding': 'chunked, identity' }],
  ['a space before the colon', { 'Content-Length ': '2' }],
  ['a bare line feed in a value', { 'X-A': 'b\nAuthorization: Bearer x' }],
  // More than the 16 kB that Node.js takes, and less than it reads at once: unread bytes would reset the connection.
  ['a value of 20 kB', { Cookie: 'c'.repeat(20_000) }],
])('refuses a request with %s, before it reads who sends it (smuggling)', async (_name, headers) => {
  const { raw } = await send('POST /api/act', { ...as(await signIn()), ...headers });
  expect(raw).toMatch(/^HTTP\/1\.1 4(00|31) /);
  expect(raw.match(/HTTP\/1\.1 /g)).toHaveLength(1);
});

it('refuses what a browser marks as cross-site also for a read with a bearer token', async () => {
  expect(await statusWith({ ...bearer, 'Sec-Fetch-Site': 'cross-site' })).toBe(403);
  expect(await statusWith(bearer)).toBe(200);
});

it('ends a session 30 minutes after its last request, and 8 hours after its start', async () => {
  const token = await signIn();
  for (let minutes = 0; minutes < 460; minutes += 20) {
    now += 20 * MINUTE;
    expect(await statusWith(as(token))).toBe(200);
  }
  now += 20 * MINUTE;
  expect(await statusWith(as(token))).toBe(401);
  const idle = await signIn();
  now += 30 * MINUTE;
  expect(await statusWith(as(idle))).toBe(401);
});

it('keeps a session over a restart, and its token is in no file', async () => {
  const sessionToken = await signIn();
  await store.close();
  store = openStore();
  sessions = new Sessions(store.sessions, LIMITS, clock);
  expect(await statusWith(as(sessionToken))).toBe(200);
  const files = readdirSync(directory).map((name) => readFileSync(join(directory, name)));
  expect(files.length).toBeGreaterThan(1);
  for (const file of files) expect(file.includes(sessionToken)).toBe(false);
});

it('answers 503 while the sessions cannot be read, and lets nobody in', async () => {
  const sessionToken = await signIn();
  const get = () => Promise.reject(new Error('the disk is away'));
  sessions = new Sessions({ ...store.sessions, get }, LIMITS, clock);
  expect(await statusWith(as(sessionToken))).toBe(503);
  expect(await statusWith(bearer)).toBe(200);
});

it('shows a person without a role no data, and says which role is missing', async () => {
  const open = (roles: readonly PersonsRole[]) => sessions.open({ principal: { id: 'oidc:main/1' }, roles });
  const { token } = await open([]);
  const refused = await send('GET /api/data', as(token));
  expect(refused.status).toBe(403);
  expect(refused.body).toEqual({
    error: 'this needs the role viewer or approver or operator, and you do not have it',
  });
  expect((await send('GET /api/session', as(token))).body).toMatchObject({
    person: { id: 'oidc:main/1' },
    may: { read: refused.body && (refused.body as { error: string }).error },
  });
  const viewer = await open(['viewer']);
  expect(await statusWith(as(viewer.token))).toBe(200);
  expect(await statusWith(as(viewer.token), 'POST /api/act')).toBe(403);
  expect((await send('GET /api/session', as(viewer.token))).body).toMatchObject({
    may: { read: true, freeze: 'this needs the role operator, and you do not have it' },
  });
});

it('aborts an open stream within two seconds after its session ended', async () => {
  const { token } = await sessions.open({ principal: { id: 'local' }, roles: PERSONS_ROLES });
  const watch = access.watch({ headers: { authorization: `Session ${token}` } } as FastifyRequest);
  await sessions.end(token);
  await once(watch.ended, 'abort', { signal: AbortSignal.timeout(2_000) });
  watch.close();
});

it('ends the session of an open stream 30 minutes after the last request', async () => {
  const { token } = await sessions.open({ principal: { id: 'local' }, roles: PERSONS_ROLES });
  now += 20 * MINUTE;
  const looks = new EventEmitter();
  const get = (id: string) => {
    looks.emit('look');
    return store.sessions.get(id);
  };
  sessions = new Sessions({ ...store.sessions, get }, LIMITS, clock);
  const watch = access.watch({ headers: { authorization: `Session ${token}` } } as FastifyRequest);
  await once(looks, 'look');
  await once(looks, 'look');
  expect(watch.ended.aborted).toBe(false);
  now += 10 * MINUTE;
  await once(watch.ended, 'abort', { signal: AbortSignal.timeout(10_000) });
  watch.close();
});

it('ends a session that began at an identity provider once the roles or the logins of the configuration change', async () => {
  const login = { provider: 'main', names: [], at: now, idToken: 'x' };
  const { token } = await sessions.open({ principal: { id: 'oidc:main/1' }, roles: ['operator'], login });
  const local = await sessions.open({ principal: { id: 'local' }, roles: PERSONS_ROLES });
  expect(await sessions.find(token)).toBeDefined();
  sessions = new Sessions(store.sessions, { ...LIMITS, roles: { operator: [] } }, clock);
  expect(await sessions.find(token)).toBeUndefined();
  expect(await sessions.find(local.token)).toBeDefined();
});

describe('behind the proxy of the console', () => {
  const origin = 'https://console.example.com';
  const requestWith = (headers: Readonly<Record<string, string>>) =>
    ({
      method: 'GET',
      headers,
      host: headers.host,
      ip: '127.0.0.1',
      raw: { rawHeaders: Object.entries(headers).flat() },
    }) as unknown as FastifyRequest;
  const reply = {} as FastifyReply;
  let behind: ReturnType<typeof createApiAccess>;
  beforeEach(() => {
    behind = createApiAccess({
      host: '127.0.0.1',
      tokens: [],
      local: { token: new Secret(FILE), path: '/state/api-token' },
      findSession: (token, isUse) => sessions.find(token, isUse),
      origin,
    });
  });
  const callerWith = async (sessionToken: string) => {
    const request = requestWith({ host: 'console.example.com', cookie: `__Host-scopemesh=${sessionToken}` });
    await behind.readSession(request, reply);
    return behind.callerOf(request);
  };

  it('the status needs a proof, whatever host a request names', () => {
    expect(behind.readRefusal(requestWith({ host: 'localhost' }))).toMatchObject({ status: 401 });
    expect(access.readRefusal(requestWith({ host: 'localhost' }))).toBeUndefined();
  });

  it('a session that began with the token file is no cookie', async () => {
    const local = await sessions.open({ principal: { id: 'local' }, roles: PERSONS_ROLES });
    expect(await callerWith(local.token)).toMatchObject({ status: 401 });
    const login = { provider: 'main', names: [], at: now, idToken: 'x' };
    const ana = await sessions.open({ principal: { id: 'oidc:main/1' }, roles: ['viewer'], login });
    expect(await callerWith(ana.token)).toMatchObject({ kind: 'person' });
  });

  it('a request that is refused in any case is no use of its session', async () => {
    const login = { provider: 'main', names: [], at: now, idToken: 'x' };
    const { token } = await sessions.open({ principal: { id: 'oidc:main/1' }, roles: ['viewer'], login });
    now += 20 * MINUTE;
    const cookie = `__Host-scopemesh=${token}`;
    await behind.readSession(requestWith({ host: 'evil.test', cookie }), reply);
    now += 10 * MINUTE;
    expect(await sessions.find(token)).toBeUndefined();
  });
});
