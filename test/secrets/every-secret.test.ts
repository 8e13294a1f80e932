import { execFile } from 'node:child_process';
import { createHmac, verify } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { freePort } from '../stack/ports.js';
import {
  createRunDirectory,
  removeRunDirectory,
  type ServerProcess,
  startProcess,
  until as untilRunning,
} from '../stack/process.js';
import { type ConsulProxy, startConsulProxy } from '../support/consul-proxy.js';
import { type Mesh, startMesh } from '../support/mesh.js';
import { until } from '../support/until.js';
import { type Planted, plant } from './planted.js';
import { secretsIn } from './spellings.js';
import { type StandIn, startStandIn } from './stand-in.js';

const ROOT = new URL('../../', import.meta.url).pathname;
const TENANT = '2f6c1a9e-0b7d-4c53-8e21-5d9a4b3c7f10';
const APP = '7d1e5b02-93c4-4f8a-b6d0-1c2e3f4a5b6c';

let mesh: Mesh;
let proxy: ConsulProxy;
let planted: Planted;
let standIn: StandIn;
let directory: string;
let listen: string;
let daemon: ServerProcess;
/** What the daemon and the commands print and answer, by where it was. */
const shown = new Map<string, string>();

beforeAll(async () => {
  mesh = await startMesh();
  proxy = await startConsulProxy(mesh.consul.address);
  planted = plant(mesh.consul.managementToken);
  const owners = [
    [TENANT, 'entra'],
    ['/realms/', 'keycloak'],
    ['localhost', 'auth0'],
    ['/ssf', 'ssf'],
    ['', 'okta'],
  ] as const;
  standIn = await startStandIn((address) => {
    const [, kind] = owners.find(([part]) => address.includes(part)) ?? ['', 'okta'];
    return planted.of(`${kind} access token`);
  });
  directory = await createRunDirectory('secrets');
  listen = `127.0.0.1:${await freePort()}`;
  for (const [file, text] of [
    ['okta.pem', planted.privateKeyPem],
    ['entra-token', planted.of('entra federated token')],
    ['directory-token', planted.of('directory token')],
  ] as const)
    await writeFile(join(directory, file), text, { mode: 0o600 });
  await mesh.register('web', { client: 'web-app' });
});
afterAll(async () => {
  await daemon?.kill();
  await standIn?.close();
  await proxy?.close();
  await mesh?.consul.close();
  await removeRunDirectory(directory);
});

/** Secrets come to the configuration by `${NAME}` and `${file:PATH}`. */
const NAMED = {
  CONSUL_TOKEN: 'consul token',
  KEYCLOAK_SECRET: 'keycloak client secret',
  KEYCLOAK_WEBHOOK: 'keycloak webhook secret',
  OKTA_API_TOKEN: 'okta api token',
  OKTA_HOOK: 'okta hook secret',
  ENTRA_SECRET: 'entra client secret',
  ENTRA_STATE: 'entra client state',
  AUTH0_SECRET: 'auth0 client secret',
  WEBHOOK: 'webhook secret',
  SSF_SECRET: 'ssf client secret',
  SSF_TOKEN: 'ssf token',
  SSF_PUSH: 'ssf push token',
};
const environment = () =>
  Object.fromEntries(Object.entries(NAMED).map(([name, secret]) => [name, planted.of(secret)]));
const ref = (name: keyof typeof NAMED) => `\${${name}}`;

function configuration(): Readonly<Record<string, unknown>> {
  const at = standIn.address;
  const often = { poll: '100ms', fullRead: '1s' };
  const ssf = { transmitter: `${at}/ssf`, audience: 'scopemesh', tokenIssuer: `${at}/ssf` };
  const providers = [
    {
      name: 'kc',
      kind: 'keycloak',
      issuer: `${at}/realms/main`,
      clientId: 'scopemesh',
      clientSecret: ref('KEYCLOAK_SECRET'),
      webhook: { secrets: [ref('KEYCLOAK_WEBHOOK')] },
    },
    {
      name: 'okta',
      kind: 'okta',
      issuer: `${at}/oauth2/default`,
      org: at,
      clientId: 'okta-app',
      // biome-ignore lint/suspicious/noTemplateCurlyInString: a reference of the configuration file
      privateKey: '${file:okta.pem}',
      keyId: 'key',
      apis: [`${at}/oauth2/default`],
      webhook: { secrets: [ref('OKTA_HOOK')] },
    },
    {
      name: 'okta-token',
      kind: 'okta',
      issuer: `${at}/oauth2/default`,
      apiToken: ref('OKTA_API_TOKEN'),
      apis: [`${at}/oauth2/default`],
    },
    {
      name: 'entra',
      kind: 'entra',
      issuer: `${at}/${TENANT}/v2.0`,
      graph: `${at}`,
      clientId: APP,
      clientSecret: ref('ENTRA_SECRET'),
      apis: ['orders'],
      webhook: { url: `http://${listen}/events/entra`, secrets: [ref('ENTRA_STATE')] },
    },
    {
      name: 'entra-federated',
      kind: 'entra',
      issuer: `${at}/${TENANT}/v2.0`,
      graph: `${at}`,
      clientId: APP,
      federatedTokenFile: './entra-token',
      apis: ['orders'],
    },
    {
      name: 'auth0',
      kind: 'auth0',
      issuer: `${at.replace('127.0.0.1', 'localhost')}/`,
      clientId: 'auth0-app',
      clientSecret: ref('AUTH0_SECRET'),
      apis: ['https://orders.example.com'],
    },
    {
      name: 'document',
      kind: 'oidc',
      issuer: at,
      directory: `${at}/clients.json`,
      // biome-ignore lint/suspicious/noTemplateCurlyInString: a reference of the configuration file
      directoryToken: '${file:directory-token}',
      webhook: { secrets: [ref('WEBHOOK')] },
      ssf: {
        ...ssf,
        endpoint: `http://${listen}/events/document`,
        pushTokens: [ref('SSF_PUSH')],
        clientId: 's',
        clientSecret: ref('SSF_SECRET'),
      },
    },
    {
      name: 'signals',
      kind: 'oidc',
      issuer: at,
      directory: `${at}/other.json`,
      ssf: { transmitter: `${at}/ssf`, audience: 'scopemesh', delivery: 'poll', token: ref('SSF_TOKEN') },
    },
  ];
  return {
    owner: 'payments',
    mode: 'enforce',
    consul: { address: proxy.address, token: ref('CONSUL_TOKEN') },
    providers: providers.map((provider) => ({ ...provider, ...often })),
    scopes: { 'orders:read': { provider: 'document', to: 'orders' } },
    http: { listen },
    state: { directory: './state' },
    resync: '1s',
  };
}

const MAIN = ['--import', 'tsx', join(ROOT, 'workers/main.ts')];

async function command(name: string, ...args: string[]): Promise<void> {
  const file = join(directory, 'scopemesh.yaml');
  await new Promise<void>((resolve) => {
    execFile(
      process.execPath,
      [...MAIN, '-c', file, '--log-level', 'debug', ...args],
      { cwd: ROOT, env: { ...process.env, ...environment() }, timeout: 60_000 },
      (error, out, err) => {
        shown.set(`scopemesh ${name}`, `${out}\n${err}\n${error?.message ?? ''}`);
        resolve();
      },
    );
  });
}

async function ask(path: string, init: RequestInit = {}): Promise<Response> {
  const answer = await fetch(`http://${listen}${path}`, init);
  const text = await answer.clone().text();
  const name = `${init.method ?? 'GET'} ${path.slice(0, 15)} ${answer.status} ${shown.size}`;
  shown.set(name, `${JSON.stringify([...answer.headers])}\n${text}`);
  return answer;
}

/** Events that are believed, events that are not, and requests of other kinds, all with secrets in them. */
async function sendEvents(): Promise<void> {
  const post = (path: string, headers: Record<string, string>, body: unknown) =>
    ask(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
  const inEvent = { token: planted.of('token in an event') };
  const keycloak = JSON.stringify({
    id: 'k1',
    realmId: 'main',
    type: 'access.LOGIN',
    time: Date.now(),
    details: inEvent,
  });
  const hex = createHmac('sha256', planted.of('keycloak webhook secret')).update(keycloak).digest('hex');
  await post('/events/kc', { 'x-keycloak-signature': hex }, keycloak);
  await post('/events/kc', { 'x-keycloak-signature': planted.of('token of a caller') }, keycloak);
  const hook = { eventType: 'com.okta.event_hook', data: { events: [{ uuid: 'o1', ...inEvent }] } };
  expect(
    (await post('/events/okta', { authorization: planted.of('okta hook secret') }, hook)).status,
  ).not.toBe(401);
  await post('/events/okta', { authorization: planted.of('password in a header') }, hook);
  const notification = (clientState: string) => ({
    value: [{ subscriptionId: 's', clientState, changeType: 'updated', resource: inEvent.token }],
  });
  expect((await post('/events/entra', {}, notification(planted.of('entra client state')))).ok).toBe(true);
  await post('/events/entra', {}, notification(planted.of('token of a caller')));
  await post(`/events/entra?validationToken=abc&other=${planted.of('token in a query')}`, {}, '');
  const event = JSON.stringify({
    type: 'client.updated',
    timestamp: new Date().toISOString(),
    data: { clientId: 'web-app', ...inEvent },
  });
  const stamp = String(Math.floor(Date.now() / 1000));
  const key = Buffer.from(planted.of('webhook secret').slice('whsec_'.length), 'base64');
  const signature = createHmac('sha256', key).update(`e1.${stamp}.${event}`).digest('base64');
  const signed = { 'webhook-id': 'e1', 'webhook-timestamp': stamp };
  expect(
    (await post('/events/document', { ...signed, 'webhook-signature': `v1,${signature}` }, event)).ok,
  ).toBe(true);
  await post('/events/document', { ...signed, 'webhook-signature': planted.of('webhook secret') }, event);
  const set = { 'content-type': 'application/secevent+jwt' };
  const pushed = await post(
    '/events/document',
    { ...set, authorization: `Bearer ${planted.of('ssf push token')}` },
    planted.of('pushed set'),
  );
  expect(await pushed.text()).not.toContain('authentication_failed');
  await post(
    '/events/document',
    { ...set, authorization: `Bearer ${planted.of('token of a caller')}` },
    planted.of('pushed set'),
  );
  const caller = {
    authorization: `Bearer ${planted.of('token of a caller')}`,
    cookie: `session=${planted.of('token of a caller')}`,
  };
  const query = `token=${planted.of('token in a query')}`;
  for (const path of [
    `/statusz?${query}`,
    `/api/holds?${query}`,
    `/nowhere/${planted.of('token in a query')}?${query}`,
  ])
    await ask(path, { headers: caller });
  await ask(`/api/holds/x/approve?${query}`, {
    method: 'POST',
    headers: caller,
    body: JSON.stringify(inEvent),
  });
  await ask(`/api/clients/document/web-app/login?${query}`, { headers: caller });
  await ask(`/api/quarantines/document/${planted.of('token in a query')}/release`, {
    method: 'POST',
    headers: caller,
  });
  await sendRaw(
    `GET /${planted.of('token in a query')} HTTP/9.9\r\nAuthorization: ${caller.authorization}\r\n\r\n`,
  );
  await sendRaw(`\0${planted.of('token of a caller')}\r\n\r\n`);
}

async function sendRaw(text: string): Promise<void> {
  const [host = '', port] = listen.split(':');
  await new Promise<void>((resolve) => {
    const socket = connect({ host, port: Number(port) }, () => socket.end(text));
    socket.on('data', (chunk) => shown.set(`raw ${shown.size}`, chunk.toString()));
    socket.on('error', () => resolve());
    socket.on('close', () => resolve());
  });
}

/** The providers were sent what was planted for them, or something that was signed with it. */
function expectUsed(): void {
  const seen = standIn.seen();
  const names = [
    'keycloak client secret',
    'okta api token',
    'okta access token',
    'entra client secret',
    'entra federated token',
    'auth0 client secret',
    'directory token',
    'ssf client secret',
    'ssf token',
    'keycloak access token',
    'entra access token',
    'auth0 access token',
    'ssf access token',
  ];
  expect(names.filter((name) => !seen.includes(planted.of(name)))).toEqual([]);
  const assertions = [...seen.matchAll(/\b(eyJ[\w-]+\.[\w-]+)\.([\w-]+)\b/g)];
  const isSigned = assertions.some(([, text = '', signature = '']) =>
    verify('sha256', Buffer.from(text), planted.publicKey, Buffer.from(signature, 'base64url')),
  );
  expect(isSigned).toBe(true);
}

it('no secret is in what the daemon and the commands print, answer or record, at log level debug', async () => {
  await writeFile(join(directory, 'scopemesh.yaml'), stringify(configuration()));
  daemon = await startProcess({
    name: 'scopemesh',
    command: process.execPath,
    args: [...MAIN, '-c', join(directory, 'scopemesh.yaml'), '--log-level', 'debug', 'run'],
    cwd: ROOT,
    env: environment(),
    logFile: join(directory, 'log'),
  });
  await untilRunning('the daemon answers', () => fetch(`http://${listen}/healthz`).then(({ ok }) => ok), {
    timeoutMs: 60_000,
    process: daemon,
  });
  await until(
    'each provider was asked often',
    () => {
      try {
        expectUsed();
        return true;
      } catch {
        return false;
      }
    },
    30_000,
  ).catch(() => expectUsed());
  await sendEvents();
  let refused = 0;
  proxy.interfere = ({ target }) => {
    const token = planted.of('consul token');
    const spelt = [
      token,
      encodeURIComponent(token),
      Buffer.from(token).toString('base64'),
      token.slice(0, 30),
    ];
    refused++;
    return {
      status: [403, 500, 400, 502][refused % 4] ?? 403,
      body: `refused ${spelt[refused % 3]} at ${target} ${'x'.repeat(250)}${token}`,
    };
  };
  await until('Consul refused often', () => refused > 12, 60_000);
  await sendEvents();
  for (const path of ['/metrics', '/statusz', '/readyz', '/healthz', '/api/holds', '/']) await ask(path);
  const ps = await new Promise<string>((resolve) =>
    execFile('ps', ['-ww', '-eo', 'args'], (_, out) => resolve(out)),
  );
  expect(ps).toContain(join(directory, 'scopemesh.yaml'));
  shown.set('ps', ps);
  await Promise.all([
    command('doctor', 'doctor'),
    command('plan', 'plan', '--json'),
    command('explain', 'explain', 'web', 'orders'),
    command('providers', 'providers'),
  ]);
  proxy.interfere = () => undefined;
  await Promise.all([
    command('doctor again', 'doctor'),
    command('plan again', 'plan'),
    command('validate', 'validate'),
    command('tokens', 'tokens'),
  ]);
  await command('decisions', 'decisions', 'list', '--json');
  process.kill(daemon.pid, 'SIGABRT');
  await daemon.exited;
  shown.set('the log of the daemon', await readFile(join(directory, 'log'), 'utf8'));
  expect(shown.get('the log of the daemon')?.length).toBeGreaterThan(10_000);

  const found = [...shown].flatMap(([where, text]) =>
    secretsIn(text, planted.secrets).map((secret) => `${secret}: ${where}`),
  );
  expect(found).toEqual([]);
}, 300_000);
