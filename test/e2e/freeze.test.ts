import { afterAll, beforeAll, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { type ConsulHandle, startConsul } from '../stack/consul.js';
import { signingKeyFile } from '../stack/key-file.js';
import { freePort } from '../stack/ports.js';
import { until } from '../stack/process.js';
import { type RedisHandle, startRedis } from '../stack/redis.js';
import { eventsOnly, type Idp, startIdp } from '../support/idp.js';
import { isSoak } from '../support/soak.js';
import { type Scopemesh, startScopemesh } from './scopemesh.js';
import { unpublished } from './unpublished.js';

/* Two real daemons on one real Redis and one real Consul, and 500 clients that all change during a freeze. */
const CLIENTS = 500;
/** From the last of the 500 events to the last revocation: seen are 3 s, and 10 s on a busy machine. */
const MAX_MS = isSoak ? 10_000 : 60_000;
const PATIENCE = { timeoutMs: 110_000 };
const NAMES = Array.from({ length: CLIENTS }, (_, at) => `svc-${String(at).padStart(3, '0')}`);
const FIRST = NAMES.filter((_, at) => at % 2 === 0);
const SECOND = NAMES.filter((_, at) => at % 2 === 1);

let consul: ConsulHandle;
let redis: RedisHandle;
let idp: Idp;
const daemons: Scopemesh[] = [];

beforeAll(async () => {
  [consul, redis] = await Promise.all([startConsul({ acl: 'deny' }), startRedis()]);
  idp = await startIdp({ single: true, now: Date.now });
  await ask('PUT', '/v1/config', { Kind: 'proxy-defaults', Name: 'global', Config: { protocol: 'http' } });
  await ask('PUT', '/v1/agent/service/register', { Name: 'orders', Port: 8000 });
  for (const [at, Name] of NAMES.entries()) {
    const Meta = { 'oauth-client-id': `${Name}-app` };
    await ask('PUT', '/v1/agent/service/register', { Name, Port: 9000 + at, Meta });
  }
  grantTo(FIRST);
}, 300_000);
afterAll(async () => {
  await Promise.all(daemons.map((each) => each.dispose()));
  await Promise.all([consul?.stop(), redis?.stop(), idp?.close()]);
});

async function ask(method: string, path: string, body?: object): Promise<unknown> {
  const answer = await fetch(consul.httpAddress + path, {
    method,
    headers: { 'x-consul-token': consul.managementToken },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  return answer.ok && text !== '' ? JSON.parse(text) : undefined;
}

function grantTo(names: readonly string[]): void {
  for (const name of NAMES)
    idp.clients.set(`${name}-app`, {
      clientId: `${name}-app`,
      grantTypes: ['client_credentials'],
      scopes: names.includes(name) ? ['orders:read'] : [],
      attributes: { 'consul-services': name },
    });
}

async function start(): Promise<Scopemesh> {
  const listen = `127.0.0.1:${await freePort()}`;
  const daemon = await startScopemesh({
    listen,
    configuration: (state) =>
      stringify({
        owner: 'team',
        mode: 'enforce',
        consul: { address: consul.httpAddress, token: consul.managementToken },
        providers: [eventsOnly(idp)],
        scopes: { 'orders:read': { to: 'orders', methods: ['GET'], path: '/' } },
        queue: { kind: 'bullmq', url: redis.url },
        decisions: {
          kind: 'kafka',
          brokers: ['127.0.0.1:9'],
          topic: 'none',
          signingKeyFile: signingKeyFile(),
        },
        http: { listen },
        state,
      }),
  });
  daemons.push(daemon);
  return daemon;
}

async function open(): Promise<readonly string[]> {
  const entry = (await ask('GET', '/v1/config/service-intentions/orders')) as
    | { Sources: { Name: string }[] }
    | undefined;
  return (entry?.Sources ?? []).map(({ Name }) => Name).toSorted();
}

async function freeze(daemon: Scopemesh, verb: 'start' | 'end'): Promise<number> {
  const { status } = await fetch(`${daemon.address}/api/freeze/${verb}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${await daemon.apiToken()}` },
    body: JSON.stringify({ user: 'alice', reason: 'release 42' }),
  });
  return status;
}

const statusOf = async (daemon: Scopemesh) =>
  (await (await fetch(`${daemon.address}/statusz`)).json()) as Record<string, unknown>;
const leads = async (daemon: Scopemesh) => (await statusOf(daemon).catch(() => undefined))?.leader === true;

async function tell(daemon: Scopemesh, name: string): Promise<void> {
  const { headers, body } = idp.sign({ type: 'client.updated', data: { clientId: `${name}-app` } });
  const answer = await fetch(`${daemon.address}/events/main`, { method: 'POST', headers, body });
  expect(answer.status).toBe(202);
}

it('a burst of 500 changes in a freeze: revocations at once, grants at its end under another leader, none lost', async () => {
  const leader = await start();
  await until('the first are open', async () => (await open()).length === FIRST.length, PATIENCE);
  const standby = await start();
  expect(await freeze(leader, 'start')).toBe(200);
  grantTo(SECOND);
  const began = performance.now();
  for (let at = 0; at < CLIENTS; at += 50)
    await Promise.all(NAMES.slice(at, at + 50).map((name) => tell(leader, name)));
  const reportedMs = performance.now() - began;
  await until('every revocation is made', async () => (await open()).length === 0, PATIENCE);
  const revokedMs = performance.now() - began;
  expect(revokedMs - reportedMs).toBeLessThan(MAX_MS);
  const isHeld = async (daemon: Scopemesh) =>
    (await statusOf(daemon)).holdCounts as Record<string, number> | undefined;
  await until('every grant is held', async () => (await isHeld(leader))?.Frozen === SECOND.length, PATIENCE);

  await leader.kill();
  await until('the other leads', () => leads(standby), PATIENCE);
  await standby.ready();
  expect(await statusOf(standby)).toMatchObject({
    freeze: { kind: 'started', reason: 'release 42', by: 'local (alice)' },
    holdCounts: { Frozen: SECOND.length },
  });
  expect(await open()).toEqual([]);

  const [thawedAt, thawed] = [Date.now(), performance.now()];
  expect(await freeze(standby, 'end')).toBe(200);
  await until('every grant is made', async () => (await open()).length === SECOND.length, PATIENCE);
  const grantedMs = performance.now() - thawed;
  expect(await open()).toEqual(SECOND);
  await until('no hold is left', async () => (await isHeld(standby))?.Frozen === undefined, PATIENCE);
  process.stdout.write(`freeze: ${JSON.stringify({ reportedMs, revokedMs, grantedMs })}\n`);
  const subjects = new Set(SECOND.map((name) => `intention/default/default/orders/${name}`));
  const written = await until(
    'every grant has its decision',
    async () => {
      const found = (await unpublished(redis.url)).filter(
        ({ subject, outcome }) => subjects.has(subject) && outcome === 'applied',
      );
      return found.length >= SECOND.length && found;
    },
    PATIENCE,
  );
  expect(written.map(({ action, subject }) => [action, subject]).toSorted()).toEqual(
    [...subjects].map((subject) => ['grant', subject]),
  );
  expect(written.filter(({ time }) => Date.parse(time) < thawedAt)).toEqual([]);
}, 600_000);
