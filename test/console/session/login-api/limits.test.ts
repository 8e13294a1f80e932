import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { systemClock } from '../../../../src/clock.js';
import { EntryCodes } from '../../../../src/console/session/entry-codes.js';
import { addBackChannelLogout, addLogin } from '../../../../src/console/session/login-api.js';
import { Sessions } from '../../../../src/console/session/sessions.js';
import { addShell } from '../../../../src/console/shell.js';
import { createHttpServer } from '../../../../src/daemon/http-server.js';
import { acceptEvents } from '../../../../src/intake/accept-events.js';
import type { RevocationOrder } from '../../../../src/model/order.js';
import { noMetrics, silentLogger } from '../../../../src/observe.js';
import { createEmbeddedStore, type EmbeddedStore } from '../../../../src/queue/embedded/store.js';
import { newDirectory } from '../../../support/use-directory.js';

const HOST = 'console.example.com';
const ROLES = { claim: 'groups', viewer: ['/engineering'], approver: [], operator: [] };
const MINUTE = 60_000;

let now: number;
const clock = { ...systemClock, now: () => now };
let directory: string;
let store: EmbeddedStore;
let server: ReturnType<typeof createHttpServer>;
let sessions: Sessions;
/** Of the identity provider: what it says of the next person, how often it was asked, and when it answers. */
let claims: Record<string, unknown>;
let asked: number;
let answers: Promise<unknown>;
let loggedOutAt: number;

beforeEach(() => {
  now = Date.parse('2026-01-31T12:00:00Z');
  asked = 0;
  answers = Promise.resolve();
  directory = newDirectory();
  store = createEmbeddedStore({ directory, logger: silentLogger, metrics: noMetrics, clock });
  const settings = {
    idleMs: 30 * MINUTE,
    longestMs: 480 * MINUTE,
    freshMs: 15 * MINUTE,
    roles: ROLES,
    login: [],
  };
  sessions = new Sessions(store.sessions, settings, clock);
  claims = { sub: 'ana', auth_time: now / 1000, groups: ['/engineering'] };
  let states = 0;
  const client = {
    provider: 'main',
    begin: async () => {
      const attempt = { state: `state-${++states}`, nonce: 'n', verifier: 'v', maxAge: 900 };
      return { address: new URL(`https://idp.example.com/?state=${attempt.state}`), attempt };
    },
    finish: async () => {
      asked++;
      const said = claims;
      await answers;
      return { claims: said, idToken: 'x' };
    },
    verifyLogout: async () => ({ sub: 'ana', at: new Date(loggedOutAt).toISOString() }),
  };
  const clients = new Map([['main', client]]);
  server = createHttpServer();
  writeFileSync(join(directory, 'index.html'), '<html lang="en"></html>');
  const codes = new EntryCodes(clock);
  const { keyValues } = store;
  const origin = `https://${HOST}`;
  addLogin(server, {
    clients,
    origin,
    roles: ROLES,
    sessions,
    codes,
    keyValues,
    sendRefused: addShell(server, directory),
    logger: silentLogger,
    clock,
  });
  addBackChannelLogout(server, { clients, store: store.sessions, logger: silentLogger });
});
afterEach(async () => {
  await server.close();
  await store.close();
});

async function begin() {
  const { headers } = await server.inject({ url: '/login/main', headers: { host: HOST } });
  const state = new URL(String(headers.location)).searchParams.get('state') ?? '';
  const cookie = String(headers['set-cookie']).split(';')[0] ?? '';
  return { url: `/login/main/callback?code=c&state=${state}`, headers: { host: HOST, cookie } };
}
type Login = Awaited<ReturnType<typeof begin>>;

async function finish({ url, headers }: Login, from = '192.0.2.1') {
  return await server.inject({ url, headers: { ...headers, 'x-forwarded-for': `10.9.8.7, ${from}` } });
}

/** Resolves with the token of the session. */
async function signIn(): Promise<string> {
  const { headers } = await finish(await begin());
  const [, cookie = ''] = /__Host-scopemesh=([\w-]+)/.exec(String(headers['set-cookie'])) ?? [];
  return cookie;
}
/** The identity provider answers once this is called. */
function hold(): () => void {
  let answer = () => {};
  answers = new Promise<void>((resolve) => {
    answer = resolve;
  });
  return answer;
}
const isOpen = async (token: string) => (await sessions.find(token)) !== undefined;

it('a callback that comes again costs no request to the identity provider, also while the first one runs', async () => {
  const login = await begin();
  const answer = hold();
  const first = finish(login);
  expect((await finish(login, '192.0.2.2')).statusCode).toBe(400);
  answer();
  expect((await first).statusCode).toBe(302);
  expect((await finish(login)).statusCode).toBe(400);
  expect(asked).toBe(1);
});

it('an address that keeps logins open keeps no other address waiting', async () => {
  const answer = hold();
  const logins = await Promise.all(Array.from({ length: 12 }, begin));
  const all = logins.map((login) => finish(login));
  const [refused] = await Promise.all([Promise.race(all)]);
  expect(refused?.statusCode).toBe(503);
  // The login is still good for another try.
  expect(refused?.headers['set-cookie']).toBeUndefined();
  const other = finish(await begin(), '192.0.2.2');
  answer();
  expect((await other).statusCode).toBe(302);
  const statuses = (await Promise.all(all)).map(({ statusCode }) => statusCode);
  expect(statuses.filter((status) => status === 302)).toHaveLength(4);
  const late = logins[statuses.indexOf(503)];
  expect(late && (await finish(late)).statusCode).toBe(302);
});

it('a person without a role gets no session, and so takes the place of nobody', async () => {
  claims = { ...claims, groups: ['/strangers'] };
  const { statusCode, headers, body } = await finish(await begin());
  expect(statusCode).toBe(403);
  expect(body).toContain('you have no role here');
  expect(body).not.toContain('engineering');
  expect(String(headers['set-cookie'])).not.toContain('__Host-scopemesh=');
});

it('shows a browser a page that says why a login failed, and keeps the status', async () => {
  const html = 'text/html,application/xhtml+xml,*/*;q=0.8';
  const hostile = '"><script>alert(1)</script>';
  const refusedWith = async (change: (login: Login) => Partial<Login>, faults?: object) => {
    answers =
      faults === undefined ? Promise.resolve() : Promise.reject(Object.assign(new Error(hostile), faults));
    answers.catch(() => {});
    const login = await begin();
    const changed = { ...login, ...change(login) };
    const { statusCode, headers, body } = await finish({
      ...changed,
      headers: { ...changed.headers, ...{ accept: html } },
    });
    expect(headers).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'no-store',
    });
    expect(headers['content-security-policy']).toContain("default-src 'none'");
    return [statusCode, /^<html data-refused="(\w+)" lang="en"><\/html>$/.exec(body)?.[1]];
  };
  const asIs = (login: Login) => login;
  const wrongState = () => ({ url: `/login/main/callback?code=c&state=${encodeURIComponent(hostile)}` });
  expect(await refusedWith(wrongState)).toEqual([400, 'notBegun']);
  expect(await refusedWith(({ url }) => ({ url: url.replace('main', 'other') }))).toEqual([404, 'noLogin']);
  const evil = ({ headers }: Login) => ({ headers: { ...headers, host: 'evil.test' } });
  expect(await refusedWith(evil)).toEqual([403, 'elsewhere']);
  const denied = { error: 'access_denied', error_description: hostile };
  expect(await refusedWith(asIs, denied)).toEqual([401, 'denied']);
  expect(await refusedWith(asIs, { error: hostile })).toEqual([401, 'failed']);
  claims = { ...claims, groups: [hostile] };
  expect(await refusedWith(asIs)).toEqual([403, 'noRole']);
  claims = {};
  expect(await refusedWith(asIs)).toEqual([403, 'noPerson']);
});

it('a flood of logins that nobody finishes writes nothing, and does not ask the identity provider for a token', async () => {
  await begin();
  const sizes = () =>
    readdirSync(directory, { recursive: true, encoding: 'utf8' }).map((name) => [
      name,
      statSync(join(directory, name)).size,
    ]);
  const before = sizes();
  await Promise.all(Array.from({ length: 300 }, begin));
  expect(sizes()).toEqual(before);
  expect(asked).toBe(0);
});

it('a person with a thousand long groups and a long name has a small cookie, and a name that is cut', async () => {
  const groups = Array.from({ length: 1_000 }, (_, at) => `/${'g'.repeat(1_000)}${at}`);
  claims = {
    ...claims,
    groups: [...groups, '/engineering'],
    name: 'n'.repeat(100_000),
    more: 'm'.repeat(1e6),
  };
  const { headers } = await finish(await begin());
  expect(String(headers['set-cookie']).length).toBeLessThan(400);
  const [, cookie = ''] = /__Host-scopemesh=([\w-]+)/.exec(String(headers['set-cookie'])) ?? [];
  expect((await sessions.find(cookie))?.principal.note?.length).toBe(100);
  claims = { ...claims, sub: 's'.repeat(256) };
  expect((await finish(await begin())).statusCode).toBe(403);
});

async function order(part: Partial<RevocationOrder>) {
  const cause = { kind: 'poll', receivedAt: new Date(now).toISOString() } as const;
  const whole = { kind: 'session-revoked', provider: 'main', at: cause.receivedAt, cause, ...part } as const;
  await acceptEvents('main', [{ id: `e-${now}`, triggers: [], orders: [whole] }], 'poll', {
    inbox: { accept: async () => new Set() },
    keyValues: store.keyValues,
    activity: { note: async () => {} },
    sessions: store.sessions,
    logger: silentLogger,
    metrics: noMetrics,
    clock,
  });
}

it.each([
  ['Entra ID by the object ID', { sub: 'pairwise', oid: 'object-7' }, { subject: 'object-7' }],
  ['Okta by login and user ID', { sub: '00u7' }, { subject: 'ana@example.com', account: '00u7' }],
  ['the others by the sub', { sub: 'ana' }, { subject: 'ana' }],
] as const)('an order ends the session of the person whom it names, at %s', async (_name, said, named) => {
  claims = { ...claims, ...said };
  const token = await signIn();
  claims = { ...claims, sub: 'bob', oid: 'object-8' };
  const bob = await signIn();
  await order(named);
  expect([await isOpen(token), await isOpen(bob)]).toEqual([false, true]);
});

it('an order that comes late, or again, ends no session whose sign-in is later than its instant', async () => {
  const before = await signIn();
  const at = new Date(now + MINUTE).toISOString();
  now += 2 * MINUTE;
  claims = { ...claims, auth_time: now / 1000 };
  const after = await signIn();
  // Of a sign-in before the order a session may begin later, where the provider still knows the browser.
  claims = { ...claims, auth_time: now / 1000 - 120 };
  const silent = await signIn();
  await order({ subject: 'ana', at });
  expect([await isOpen(before), await isOpen(after), await isOpen(silent)]).toEqual([false, true, false]);
  await order({ at });
  expect(await isOpen(after)).toBe(true);
});

it('a logout of the identity provider ends what began before it, and repeated later nothing else', async () => {
  const before = await signIn();
  loggedOutAt = now + 1_000;
  const logout = () =>
    server.inject({
      method: 'POST',
      url: '/events/main/logout',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      payload: 'logout_token=x',
    });
  await logout();
  now += MINUTE;
  claims = { ...claims, auth_time: now / 1000 };
  const after = await signIn();
  await logout();
  expect([await isOpen(before), await isOpen(after)]).toEqual([false, true]);
});
