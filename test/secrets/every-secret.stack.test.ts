import { execFile } from 'node:child_process';
import { createHmac, verify } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { BUILT } from '../e2e/scopemesh.js';
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
import {
  configurationOf,
  environmentOf,
  invalidConfiguration,
  storeConfigurationOf,
  TENANT,
} from './configuration.js';
import { type Planted, plant } from './planted.js';
import { secretsIn } from './spellings.js';
import { type StandIn, startStandIn } from './stand-in.js';
import { startKafkaStandIn, startRedisStandIn, type TcpStandIn } from './tcp-stand-in.js';

const ROOT = new URL('../../', import.meta.url).pathname;

let mesh: Mesh;
let proxy: ConsulProxy;
let planted: Planted;
let standIn: StandIn;
let redis: TcpStandIn;
let kafka: TcpStandIn;
let directory: string;
let listen: string;
let daemon: ServerProcess;
/** One whose queue is in the Redis, and one whose decisions are in the Kafka. */
let storeDaemons: readonly ServerProcess[] = [];
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
  redis = await startRedisStandIn(planted.of('redis password'));
  kafka = await startKafkaStandIn(planted.of('kafka password'));
  directory = await createRunDirectory('secrets');
  listen = `127.0.0.1:${await freePort()}`;
  for (const [file, text] of [
    ['okta.pem', planted.privateKeyPem],
    ['entra.crt', planted.certificate],
    ['entra.key', planted.certificateKeyPem],
    ['consul.crt', planted.certificate],
    ['consul.key', planted.certificateKeyPem],
    ['entra-token', planted.of('entra federated token')],
    ['directory-token', planted.of('directory token')],
  ] as const)
    await writeFile(join(directory, file), text, { mode: 0o600 });
  await mesh.register('web', { client: 'web-app' });
});
afterAll(async () => {
  for (const each of [daemon, ...storeDaemons]) await each?.kill();
  await Promise.all([standIn?.close(), redis?.close(), kafka?.close()]);
  await proxy?.close();
  await mesh?.consul.close();
  await removeRunDirectory(directory);
});

async function command(name: string, ...args: string[]): Promise<void> {
  await commandOn('scopemesh.yaml', name, ...args);
}

async function commandOn(configuration: string, name: string, ...args: string[]): Promise<void> {
  const file = join(directory, configuration);
  await new Promise<void>((resolve) => {
    execFile(
      process.execPath,
      [BUILT, '-c', file, '--log-level', 'debug', ...args],
      { cwd: ROOT, env: { ...process.env, ...environmentOf(planted, redis.address) }, timeout: 60_000 },
      (error, out, err) => {
        shown.set(`scopemesh ${name}`, `${out}\n${err}\n${error?.message ?? ''}`);
        resolve();
      },
    );
  });
}

function startDaemon(configuration: string, logFile: string): Promise<ServerProcess> {
  return startProcess({
    name: 'scopemesh',
    command: process.execPath,
    args: [
      ...['--import', join(ROOT, 'test/secrets/throw-on-signal.mjs')],
      ...[BUILT, '-c', join(directory, configuration), '--log-level', 'debug', 'run'],
    ],
    cwd: ROOT,
    env: environmentOf(planted, redis.address),
    logFile: join(directory, logFile),
  });
}

/** Two daemons and commands at a Redis and a Kafka that refuse their passwords. */
async function tryStores(): Promise<void> {
  const stores = [
    ['redis', 'redis', 'repeats the password'],
    ['kafka', { kafka: kafka.address }, 'decisions.sasl'],
  ] as const;
  for (const [name, store] of stores) {
    const options = { at: standIn.address, consul: proxy.address, listen: `127.0.0.1:${await freePort()}` };
    await writeFile(join(directory, `${name}.yaml`), stringify(storeConfigurationOf(store, options)));
    storeDaemons = [...storeDaemons, await startDaemon(`${name}.yaml`, `${name}.log`)];
  }
  await Promise.all([
    commandOn('redis.yaml', 'doctor at Redis', 'doctor'),
    commandOn('kafka.yaml', 'doctor at Kafka', 'doctor'),
    commandOn('kafka.yaml', 'decisions at Kafka', 'decisions', 'list', '--json'),
  ]);
  expect(shown.get('scopemesh doctor at Redis')).toContain('Redis');
  expect(shown.get('scopemesh doctor at Kafka')).toContain('decisions.sasl');
  for (const [name, , refusal] of stores) {
    const log = () => readFile(join(directory, `${name}.log`), 'utf8');
    await until(`the refusal in the log at ${name}`, async () => (await log()).includes(refusal), 60_000);
  }
  for (const each of storeDaemons) await each.kill();
  for (const [name] of stores)
    shown.set(`the log at ${name}`, await readFile(join(directory, `${name}.log`), 'utf8'));
  expect(redis.received()).toContain(planted.of('redis password'));
  expect(kafka.received()).toContain(planted.of('kafka password'));
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

/** Secrets that the daemon made itself, by name. */
const made = new Map<string, string>();

/** With the token of commands on this machine, and with one of `http.tokens`. */
async function askAsHolders(): Promise<void> {
  const state = join(directory, 'state');
  const key = await readFile(join(state, 'trail-key.pem'), 'utf8');
  // What precedes the key itself is the same in every key.
  made.set('signing key of the trail', key.replaceAll(/-----.*-----|\s/g, '').slice(22));
  const token = (await readFile(join(state, `api-token-${listen.split(':')[1]}`), 'utf8')).trimEnd();
  made.set('api token', token);
  const statuses: number[] = [];
  for (const each of [token, planted.of('http token')])
    for (const path of ['/api/holds', '/api/nowhere', '/statusz?holdsAfter=%00'])
      statuses.push((await ask(path, { headers: { authorization: `Bearer ${each}` } })).status);
  expect(statuses).toContain(200);
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
  const configuration = configurationOf({ at: standIn.address, consul: proxy.address, listen });
  await writeFile(join(directory, 'scopemesh.yaml'), stringify(configuration));
  await writeFile(join(directory, 'invalid.yaml'), stringify(invalidConfiguration()));
  daemon = await startDaemon('scopemesh.yaml', 'log');
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
    command('webhooks', 'webhooks'),
    command('webhooks test', 'webhooks', 'test', 'siem'),
  ]);
  proxy.interfere = () => undefined;
  await Promise.all([
    command('doctor again', 'doctor'),
    command('plan again', 'plan'),
    command('validate', 'validate'),
    command('tokens', 'tokens'),
  ]);
  await Promise.all([
    command('decisions', 'decisions', 'list', '--json'),
    commandOn('invalid.yaml', 'validate invalid', 'validate'),
    commandOn('invalid.yaml', 'run invalid', 'run'),
  ]);
  expect(shown.get('scopemesh run invalid')).toMatch(/invalid\.yaml/);
  expect(standIn.seen()).toContain(planted.of('token in the address of a webhook'));
  await tryStores();
  await askAsHolders();
  // An exception that nothing catches, in a handler that holds secrets.
  process.kill(daemon.pid, 'SIGUSR2');
  await daemon.exited;
  shown.set('the log of the daemon', await readFile(join(directory, 'log'), 'utf8'));
  expect(shown.get('the log of the daemon')?.length).toBeGreaterThan(10_000);
  expect(shown.get('the log of the daemon')).toContain('thrown in a handler');

  const found = [...shown].flatMap(([where, text]) =>
    secretsIn(text, new Map([...planted.secrets, ...made])).map((secret) => `${secret}: ${where}`),
  );
  expect(found).toEqual([]);
}, 300_000);
