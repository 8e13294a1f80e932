import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { systemClock } from '../../src/clock.js';
import { noMetrics, silentLogger } from '../../src/observe.js';
import { createBullmqStore } from '../../src/queue/bullmq/store.js';
import { type ConsulHandle, startConsul } from '../stack/consul.js';
import { freePort } from '../stack/ports.js';
import { createRunDirectory, removeRunDirectory, until } from '../stack/process.js';
import { type RedisHandle, startRedis } from '../stack/redis.js';
import { eventsOnly, type Idp, startIdp } from '../support/idp.js';
import { type Scopemesh, startScopemesh } from './scopemesh.js';

/* Two real daemons on one real Redis and one real Consul. The decisions stay in the store, as no log answers. */
const PATIENCE = { timeoutMs: 110_000 };
/** More than the test takes on any machine: the clock of the second leader is set forward to the end. */
const SECONDS = 3_000;

let consul: ConsulHandle;
let redis: RedisHandle;
let idp: Idp;
let clock: string;
const daemons: Scopemesh[] = [];

beforeAll(async () => {
  clock = await createRunDirectory('clock');
  process.env.CLOCK_STEP_FILE = join(clock, 'step');
  [consul, redis] = await Promise.all([startConsul({ acl: 'deny' }), startRedis()]);
  idp = await startIdp({ single: true, now: Date.now });
  idp.clients.set('web-app', {
    clientId: 'web-app',
    grantTypes: ['client_credentials'],
    scopes: [],
    attributes: { 'consul-services': 'web' },
  });
  await ask('PUT', '/v1/agent/service/register', { Name: 'orders', Port: 8000 });
  const Meta = { 'oauth-client-id': 'web-app' };
  await ask('PUT', '/v1/agent/service/register', { Name: 'web', Port: 9000, Meta });
}, 300_000);
afterAll(async () => {
  await Promise.all(daemons.map((each) => each.dispose()));
  await Promise.all([consul?.stop(), redis?.stop(), idp?.close()]);
  await removeRunDirectory(clock);
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

async function start(): Promise<Scopemesh> {
  const listen = `127.0.0.1:${await freePort()}`;
  const daemon = await startScopemesh({
    listen,
    nodeArguments: ['--import', fileURLToPath(new URL('../support/stepped-clock.mjs', import.meta.url))],
    configuration: (state) =>
      stringify({
        owner: 'team',
        mode: 'enforce',
        consul: { address: consul.httpAddress, token: consul.managementToken },
        providers: [eventsOnly(idp)],
        scopes: { 'orders:read': { to: 'orders' } },
        guards: { breakGlass: { longest: '1h' }, approvers: 2 },
        queue: { kind: 'bullmq', url: redis.url },
        decisions: { kind: 'kafka', brokers: ['127.0.0.1:9'], topic: 'none' },
        http: { listen },
        state,
      }),
  });
  daemons.push(daemon);
  return daemon;
}

const isOpen = async () =>
  JSON.stringify((await ask('GET', '/v1/config/service-intentions/orders')) ?? '').includes('"Name":"web"');
const leads = async (daemon: Scopemesh) =>
  ((await (await fetch(`${daemon.address}/statusz`)).json()) as { leader: boolean }).leader;

async function post(daemon: Scopemesh, path: string, body: object) {
  const answer = await fetch(daemon.address + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${await daemon.apiToken()}` },
    body: JSON.stringify(body),
  });
  return { status: answer.status, body: (await answer.json()) as { grant?: { id: string } } };
}

/** Every decision so far. */
async function decisions() {
  const store = createBullmqStore({
    url: redis.url,
    prefix: 'scopemesh:team',
    allowUnsafe: true,
    logger: silentLogger,
    metrics: noMetrics,
    clock: systemClock,
  });
  try {
    return await store.journal.outbox(1_000);
  } finally {
    await store.close();
  }
}

it('a break-glass grant of two persons outlives its leader, and ends at its time under another one', async () => {
  const leader = await start();
  await until('the first leads', () => leads(leader), PATIENCE);
  await leader.ready(PATIENCE.timeoutMs);
  const standby = await start();
  await until('the second answers', async () => (await leads(standby)) === false, PATIENCE);
  const wanted = { source: 'web', destination: 'orders', forSeconds: SECONDS, reason: 'INC-1' };
  const asked = await post(leader, '/api/break-glass', { user: 'ana', ...wanted });
  expect(asked).toMatchObject({ status: 200, body: { grant: { state: 'asked' } } });
  const id = asked.body.grant?.id;
  expect((await post(leader, `/api/holds/${id}/approve`, { user: 'ana' })).status).toBe(409);
  expect(await isOpen()).toBe(false);
  expect((await post(leader, `/api/holds/${id}/approve`, { user: 'bob' })).status).toBe(200);
  await until('the edge is open', isOpen, PATIENCE);

  await leader.kill();
  await until('the second leads', () => leads(standby), PATIENCE);
  await standby.ready(PATIENCE.timeoutMs);
  expect(await isOpen()).toBe(true);
  const steppedAt = Date.now();
  await writeFile(join(clock, 'step'), String(SECONDS * 1_000));
  standby.signal('SIGUSR2');
  await until('the edge is closed', async () => !(await isOpen()), PATIENCE);
  const isEnd = ({ subject, reason }: { subject: string; reason: string }) =>
    subject.startsWith('intention/') && reason === 'BreakGlassEnded';
  const all = await until(
    'the end has its decision',
    async () => {
      const found = await decisions();
      return found.some(isEnd) ? found : undefined;
    },
    PATIENCE,
  );
  const ofGrant = all.filter(({ subject }) => subject === `break-glass/${id}`);
  expect(ofGrant).toMatchObject([
    { reason: 'BreakGlassAsked', principal: { id: 'os:ana' } },
    { reason: 'BreakGlass', principal: { id: 'os:bob' }, after: { askedBy: 'os:ana', approvedBy: 'os:bob' } },
    { reason: 'BreakGlassEnded' },
  ]);
  const ofEdge = all.filter(({ subject }) => subject === 'intention/default/default/orders/web');
  expect(ofEdge).toMatchObject([
    {
      reason: 'BreakGlass',
      outcome: 'applied',
      detail: expect.stringMatching(/os:ana asked, os:bob approved/),
    },
    { reason: 'BreakGlassEnded', outcome: 'applied', action: 'revoke' },
  ]);
  const opened = ofGrant[1]?.after as { until: string };
  const endedAt = Date.parse(ofEdge[1]?.time ?? '');
  expect(steppedAt).toBeLessThan(Date.parse(opened.until));
  expect(endedAt).toBeGreaterThanOrEqual(Date.parse(opened.until));
}, 300_000);
