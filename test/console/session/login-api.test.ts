import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { systemClock } from '../../../src/clock.js';
import { createEmbeddedIdp, type EmbeddedIdp } from '../../../src/embedded/identity-provider/embedded-idp.js';
import { Secret } from '../../../src/model/secret.js';
import { freePort } from '../../stack/ports.js';
import { type CommandLine, createCommandLine } from '../../support/command-line.js';
import { until } from '../../support/until.js';
import { ask, choose, follow, Jar } from './browser.js';

const HOST = 'console.example.com';
const URL_OF = { https: `https://${HOST}`, loopback: '' };
const PEOPLE = [
  { subject: 'ana', groups: ['/platform', '/engineering'] },
  { subject: 'bob', groups: ['/engineering'] },
  { subject: 'eve', groups: [] },
  { subject: 'fay', groups: ['/engineering'] },
];
const SESSION = z.object({
  person: z.object({ id: z.string(), name: z.string() }),
  roles: z.array(z.string()),
  may: z.record(z.string(), z.union([z.literal(true), z.string()])),
});

describe.each(['https', 'loopback'] as const)('a login at the embedded identity provider, %s', (kind) => {
  let idp: EmbeddedIdp;
  let cli: CommandLine;
  let running: Promise<unknown>;
  let address: string;
  let origin: string;
  const stop = new AbortController();
  const token = new Secret(randomBytes(12).toString('base64url'));

  beforeAll(async () => {
    address = `http://127.0.0.1:${await freePort()}`;
    origin = URL_OF[kind] === '' ? address : URL_OF[kind];
    const webhook = new Secret(`whsec_${randomBytes(24).toString('base64')}`);
    const secret = new Secret(randomBytes(24).toString('base64url'));
    idp = await createEmbeddedIdp({
      clients: [],
      people: PEOPLE,
      managementToken: token,
      webhook: { url: `${address}/events/main`, secret: webhook },
      loginClient: {
        clientId: 'scopemesh-console',
        secret,
        redirectUri: `${origin}/login/main/callback`,
        afterLogout: `${origin}/`,
        backChannelLogout: `${address}/events/main/logout`,
      },
      clock: systemClock,
    });
    cli = createCommandLine();
    cli.configure({
      providers: [
        {
          name: 'main',
          kind: 'oidc',
          issuer: idp.issuer,
          directory: `${idp.issuer}/directory`,
          directoryToken: token.reveal(),
          webhook: { secrets: [webhook.reveal()] },
        },
      ],
      http: {
        listen: address.slice('http://'.length),
        console: {
          url: origin,
          login: [
            {
              provider: 'main',
              clientId: 'scopemesh-console',
              clientSecret: secret.reveal(),
              scopes: ['openid', 'profile', 'groups'],
            },
          ],
          roles: { viewer: ['/engineering'], operator: ['/platform'] },
        },
      },
    });
    running = cli.run(['--log-level', 'error', 'run'], { signal: stop.signal });
    await until('the daemon answers', () =>
      fetch(`${address}/healthz`).then(
        ({ ok }) => ok,
        () => false,
      ),
    );
  });
  afterAll(async () => {
    stop.abort(new Error('stopped by a signal'));
    await running;
    await idp.close();
    cli.close();
  });

  const host = { host: kind === 'https' ? HOST : '' };
  const toConsole = (path: string, headers: Readonly<Record<string, string>> = {}) =>
    ask(`${address}${path}`, { headers: { ...(kind === 'https' ? host : {}), ...headers } });
  /** The address of the console at the proxy, as the daemon behind it sees it. */
  const behind = (location: string) => location.replace(origin, '');
  const begin = async (path = '/login/main') => {
    const jar = new Jar();
    const page = await toConsole(path);
    jar.take(page);
    return { jar, page };
  };
  const page = { origin: '', 'sec-fetch-site': 'same-origin' };
  const own = () => ({ ...page, origin });

  /** Resolves with the headers that prove the session. */
  async function signIn(subject: string, atIdp = new Jar(), path = '/login/main?to=/services%3Fq=a') {
    const { jar, page: begun } = await begin(path);
    const back = await choose(begun.location, subject, atIdp);
    const done = await toConsole(behind(back), jar.header);
    expect([done.status, done.body]).toEqual([302, '']);
    jar.take(done);
    if (kind === 'https') {
      expect(done.location).toBe(`${origin}/services?q=a`);
      expect(done.cookies.join('\n')).toMatch(
        /__Host-scopemesh=[\w-]{43}; Path=\/; HttpOnly; Secure; SameSite=Strict/,
      );
      return { ...own(), ...jar.header };
    }
    const [, code = ''] = /\/services\?q=a#code=([\w-]{22})$/.exec(done.location) ?? [];
    const opened = await ask(`${address}/api/session`, {
      method: 'POST',
      headers: { ...own(), 'content-type': 'application/json' },
      body: JSON.stringify({ code }),
    });
    const { token: sessionToken } = z.object({ token: z.string() }).parse(JSON.parse(opened.body));
    return { ...own(), authorization: `Session ${sessionToken}` };
  }
  const whoAmI = async (headers: Readonly<Record<string, string>>) =>
    SESSION.parse(JSON.parse((await toConsole('/api/session', headers)).body));
  const statusOf = async (headers: Readonly<Record<string, string>>, path = '/api/session') =>
    (await toConsole(path, headers)).status;

  it('gives each person the roles of their groups, and who has none no session', async () => {
    expect(JSON.parse((await toConsole('/login')).body)).toEqual({ logins: ['main'] });
    const ana = await whoAmI(await signIn('ana'));
    expect(ana).toMatchObject({
      person: { id: 'oidc:main/ana', name: 'ana' },
      roles: ['viewer', 'operator'],
    });
    expect(ana.may).toMatchObject({ read: true, freeze: true, approve: expect.stringContaining('approver') });
    const bob = await signIn('bob');
    expect((await whoAmI(bob)).may).toMatchObject({
      read: true,
      freeze: expect.stringContaining('operator'),
    });
    expect(await statusOf(bob, '/statusz')).toBe(200);
    const eve = await begin();
    const back = behind(await choose(eve.page.location, 'eve', new Jar()));
    const refused = await toConsole(back, eve.jar.header);
    expect([refused.status, refused.location, refused.body]).toEqual([
      403,
      '',
      expect.stringContaining('you have no role here'),
    ]);
    expect(refused.cookies.join()).not.toContain('__Host-scopemesh=');
  });

  it('ends the session here and at the identity provider', async () => {
    const atIdp = new Jar();
    const headers = await signIn('bob', atIdp);
    const second = await signIn('bob', atIdp);
    const elsewhere = await signIn('fay');
    const asked = { method: 'DELETE' as const, headers: { ...(kind === 'https' ? host : {}), ...headers } };
    const answer = await ask(`${address}/api/session`, asked);
    const { logout } = z.object({ logout: z.url() }).parse(JSON.parse(answer.body));
    expect(await statusOf(headers)).toBe(401);
    expect(new URL(logout).searchParams.get('post_logout_redirect_uri')).toBe(`${origin}/`);
    // The page of the identity provider asks once more.
    const confirm = await follow(logout, atIdp);
    const [, xsrf = ''] = /name="xsrf" value="([^"]+)"/.exec(confirm.body) ?? [];
    const [, action = ''] = /action="([^"]+)"/.exec(confirm.body) ?? [];
    const left = await follow(action, atIdp, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams({ xsrf, logout: 'yes' }).toString(),
    });
    expect(left.location).toBe(`${origin}/`);
    // It reports that to the console, so the session of the other window is over too.
    await until('the end of the other session', async () => (await statusOf(second)) === 401);
    expect(await statusOf(elsewhere)).toBe(200);
    // The next login asks who it is.
    expect((await follow((await begin()).page.location, atIdp)).body).toContain('Who are you?');
  });

  it('ends every session of a person whose sessions the identity provider revokes', async () => {
    const [first, second] = [await signIn('bob'), await signIn('bob')];
    const ana = await signIn('ana');
    const revoke = await fetch(`${idp.issuer}/sessions/bob/revoked`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token.reveal()}` },
    });
    expect(revoke.ok).toBe(true);
    await idp.settled();
    expect([await statusOf(first), await statusOf(second), await statusOf(ana)]).toEqual([401, 401, 200]);
  });

  it('refuses a callback that does not belong to a login of this browser, and stores nothing', async () => {
    const { jar, page: begun } = await begin();
    const back = behind(await choose(begun.location, 'bob', new Jar()));
    const callback = async (path: string, headers: Readonly<Record<string, string>>) => {
      const answer = await toConsole(path, headers);
      expect(answer.cookies.join()).not.toContain('__Host-scopemesh=');
      expect(answer.location).toBe('');
      return answer.status;
    };
    const other = await begin();
    expect(await callback(back, {})).toBe(400);
    expect(await callback(back, other.jar.header)).toBe(400);
    expect(await callback(back.replace(/state=[^&]*/, 'state=x'), jar.header)).toBe(400);
    expect(await callback(back.replace('/main/', '/other/'), jar.header)).toBe(404);
    expect(await callback(back, { cookie: 'scopemesh-login=x; __Host-scopemesh-login=y' })).toBe(400);
    // The identity provider refuses, or does not say what it must: each login may ask once.
    const askOf = async (change: (query: string) => string) => {
      const login = await begin();
      const answer = behind(await choose(login.page.location, 'bob', new Jar()));
      return callback(change(answer), login.jar.header);
    };
    expect(await askOf((query) => query.replace(/iss=[^&]*/, 'iss=https%3A%2F%2Fevil.test'))).toBe(401);
    expect(await askOf((query) => query.replace('?', '?error=access_denied&'))).toBe(401);
    // The state of one login with the code, and so the nonce and the verifier, of another one.
    const stateOf = (location: string) => new URL(location).searchParams.get('state') ?? '';
    const mixed = back.replace(/state=[^&]*/, `state=${stateOf(other.page.location)}`);
    expect(await callback(mixed, other.jar.header)).toBe(401);
  });

  it('refuses a callback that was used', async () => {
    const { jar, page: begun } = await begin();
    const back = behind(await choose(begun.location, 'bob', new Jar()));
    expect((await toConsole(back, jar.header)).status).toBe(302);
    expect((await toConsole(back, jar.header)).status).toBe(400);
  });

  it.each(['https://evil.test/', '//evil.test', '/\\evil.test', 'javascript:alert(1)', '/a\nb'])(
    'leads after the login to the own site, not to %j',
    async (to) => {
      const { jar, page: begun } = await begin(`/login/main?to=${encodeURIComponent(to)}`);
      const back = behind(await choose(begun.location, 'bob', new Jar()));
      const { location } = await toConsole(back, jar.header);
      expect(location.replace(/#.*/, '')).toBe(`${origin}/`);
    },
  );

  it('asks with PKCE, state and nonce, and keeps them from scripts and from the store', async () => {
    const { page: begun } = await begin();
    const asked = new URL(begun.location).searchParams;
    expect(asked.get('code_challenge_method')).toBe('S256');
    for (const name of ['code_challenge', 'state', 'nonce', 'max_age'])
      expect([name, asked.get(name)]).toEqual([name, expect.stringMatching(/./)]);
    const [cookie = ''] = begun.cookies;
    expect(cookie).toMatch(
      /^(__Host-)?scopemesh-login=[\w.-]+; Path=\/; HttpOnly; (Secure; )?SameSite=Lax; Max-Age=600$/,
    );
    expect(cookie).not.toContain(asked.get('state'));
  });

  it('gets no session by a login from whose address somebody took PKCE away (downgrade)', async () => {
    const { jar, page: begun } = await begin();
    const without = new URL(begun.location);
    for (const name of ['code_challenge', 'code_challenge_method']) without.searchParams.delete(name);
    const back = await choose(without.href, 'bob', new Jar());
    const refused = await toConsole(behind(back), jar.header);
    expect([refused.status, refused.location]).toEqual([401, '']);
    expect(refused.cookies.join()).not.toContain('__Host-scopemesh=');
  });

  it('refuses a logout token that the identity provider did not sign for the console', async () => {
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const claims = {
      iss: idp.issuer,
      aud: 'scopemesh-console',
      iat: Math.floor(Date.now() / 1000),
      sub: 'ana',
      jti: '1',
      events: { 'http://schemas.openid.net/event/backchannel-logout': {} },
    };
    const ana = await signIn('ana');
    const tokens = [
      '',
      'x.y.z',
      `${part({ alg: 'none' })}.${part(claims)}.`,
      `${part({ alg: 'HS256' })}.${part(claims)}.AAAA`,
    ];
    for (const logoutToken of tokens) {
      const answer = await ask(`${address}/events/main/logout`, {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: new URLSearchParams({ logout_token: logoutToken }).toString(),
      });
      expect(answer.status).toBe(400);
    }
    expect(await statusOf(ana)).toBe(200);
  });

  if (kind === 'https')
    it('believes the cookie only from its own page, at its own host, and never beside a token', async () => {
      const headers = await signIn('bob');
      const status = async (more: Readonly<Record<string, string>>) => statusOf({ ...headers, ...more });
      expect(await status({})).toBe(200);
      const shell = await fetch(address);
      expect(shell.headers.get('strict-transport-security')).toBe('max-age=31536000');
      expect(await status({ authorization: 'Bearer x' })).toBe(400);
      expect(await status({ origin: 'https://evil.test' })).toBe(403);
      expect(await status({ 'sec-fetch-site': 'same-site' })).toBe(403);
      expect(await status({ host: 'evil.test' })).toBe(403);
      const { cookie } = z.object({ cookie: z.string() }).parse(headers);
      const post = await ask(`${address}/api/freeze/start`, {
        method: 'POST',
        headers: { ...host, cookie, 'content-type': 'application/json' },
        body: '{}',
      });
      expect(post.status).toBe(403);
      const [, sessionToken = ''] = /__Host-scopemesh=([\w-]+)/.exec(cookie) ?? [];
      expect(await statusOf({ ...own(), authorization: `Session ${sessionToken}` })).toBe(403);
    });
});
