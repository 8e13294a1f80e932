import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { connectKeycloak, type KeycloakOfRun } from '../../../stack/connect-keycloak.js';
import { freePort } from '../../../stack/ports.js';
import { type CommandLine, createCommandLine } from '../../../support/command-line.js';
import { until } from '../../../support/until.js';
import { ask, follow, Jar } from '../browser.js';

const REALM = 'console-login';
const PASSWORD = 'a-password';
const HOST = 'console.example.com';
const ORIGIN = `https://${HOST}`;

const stop = new AbortController();
let keycloak: KeycloakOfRun;
let cli: CommandLine;
let address: string;
let running: Promise<unknown>;

beforeAll(async () => {
  keycloak = await connectKeycloak();
  const { admin } = keycloak;
  address = `http://127.0.0.1:${await freePort()}`;
  await admin.createRealm(REALM);
  await admin.request('POST', `/${REALM}/groups`, { name: 'platform' });
  for (const [username, groups] of [
    ['ana', ['/platform']],
    ['fay', ['/platform']],
    ['eve', []],
  ] as const)
    await admin.request('POST', `/${REALM}/users`, {
      username,
      enabled: true,
      email: `${username}@example.com`,
      emailVerified: true,
      firstName: username,
      lastName: 'Example',
      groups,
      credentials: [{ type: 'password', value: PASSWORD, temporary: false }],
    });
  await admin.createClient(REALM, 'scopemesh-console', {
    secret: 'a-secret-of-the-console',
    serviceAccountsEnabled: false,
    standardFlowEnabled: true,
    redirectUris: [`${ORIGIN}/login/main/callback`],
    attributes: {
      'backchannel.logout.url': `${address}/events/main/logout`,
      'backchannel.logout.session.required': 'true',
      'post.logout.redirect.uris': `${ORIGIN}/`,
      'pkce.code.challenge.method': 'S256',
    },
    protocolMappers: [
      {
        name: 'groups',
        protocol: 'openid-connect',
        protocolMapper: 'oidc-group-membership-mapper',
        config: { 'claim.name': 'groups', 'full.path': 'true', 'id.token.claim': 'true' },
      },
    ],
  });
  cli = createCommandLine();
  cli.idp();
  cli.configure({
    providers: [
      {
        name: 'main',
        kind: 'oidc',
        issuer: `${keycloak.address}/realms/${REALM}`,
        directory: `${cli.directory}/clients.json`,
      },
    ],
    http: {
      listen: address.slice('http://'.length),
      console: {
        url: ORIGIN,
        login: [{ provider: 'main', clientId: 'scopemesh-console', clientSecret: 'a-secret-of-the-console' }],
        roles: { viewer: ['/platform'], approver: ['/platform'] },
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
}, 300_000);
afterAll(async () => {
  stop.abort(new Error('stopped by a signal'));
  await running;
  cli?.close();
});

const own = { host: HOST, origin: ORIGIN, 'sec-fetch-site': 'same-origin' };
const FORM = { 'content-type': 'application/x-www-form-urlencoded' };

async function finish(username: string, atKeycloak = new Jar(), jar = new Jar()) {
  const begun = await ask(`${address}/login/main?to=/me`, { headers: { host: HOST } });
  jar.take(begun);
  const page = await follow(begun.location, atKeycloak);
  const [, action = ''] = /<form[^>]* action="([^"]+)"/.exec(page.body) ?? [];
  const body = new URLSearchParams({ username, password: PASSWORD, credentialId: '' }).toString();
  const form = { method: 'POST' as const, headers: FORM, body };
  const back = action === '' ? page : await follow(action.replaceAll('&amp;', '&'), atKeycloak, form);
  return ask(back.location.replace(ORIGIN, address), { headers: { host: HOST, ...jar.header } });
}

async function signIn(username: string, atKeycloak = new Jar()) {
  const jar = new Jar();
  const done = await finish(username, atKeycloak, jar);
  expect([done.status, done.location, done.body]).toEqual([302, `${ORIGIN}/me`, '']);
  jar.take(done);
  return { ...own, ...jar.header };
}

const whoAmI = (headers: Readonly<Record<string, string>>) => ask(`${address}/api/session`, { headers });

it('signs persons in at Keycloak with the roles of their groups', async () => {
  const ana = JSON.parse((await whoAmI(await signIn('ana'))).body);
  expect(ana).toMatchObject({
    person: {
      id: expect.stringMatching(/^oidc:main\/[0-9a-f-]{36}$/),
      name: 'ana',
    },
    roles: ['viewer', 'approver'],
    may: { read: true, approve: true },
  });
  const refused = await finish('eve');
  expect([refused.status, refused.body]).toEqual([403, expect.stringContaining('you have no role here')]);
});

it('ends the session at Keycloak by signing out, and the other ones here by its back-channel logout', async () => {
  const atKeycloak = new Jar();
  const first = await signIn('ana', atKeycloak);
  const second = await signIn('ana', atKeycloak);
  const fay = await signIn('fay');
  const answer = await ask(`${address}/api/session`, { method: 'DELETE', headers: first });
  const { logout } = z.object({ logout: z.url() }).parse(JSON.parse(answer.body));
  expect((await whoAmI(first)).status).toBe(401);
  expect((await follow(logout, atKeycloak)).location).toBe(`${ORIGIN}/`);
  await until('the end of the other session', async () => (await whoAmI(second)).status === 401);
  expect((await whoAmI(fay)).status).toBe(200);
  const begun = await ask(`${address}/login/main`, { headers: { host: HOST } });
  expect((await follow(begun.location, atKeycloak)).body).toContain('password');
});

it('ends the sessions of a person whom an administrator of Keycloak logs out', async () => {
  const [ana, fay] = [await signIn('ana'), await signIn('fay')];
  const users = z
    .array(z.object({ id: z.string() }))
    .parse(await keycloak.admin.request('GET', `/${REALM}/users?username=ana`));
  await keycloak.admin.request('POST', `/${REALM}/users/${users[0]?.id}/logout`);
  await until('the end of the session', async () => (await whoAmI(ana)).status === 401);
  expect((await whoAmI(fay)).status).toBe(200);
});
