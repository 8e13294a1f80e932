import { afterAll, beforeAll, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { type ConsulHandle, startConsul } from '../stack/consul.js';
import { signingKeyFile } from '../stack/key-file.js';
import { freePort } from '../stack/ports.js';
import { until } from '../stack/process.js';
import { type RedisHandle, startRedis } from '../stack/redis.js';
import { eventsOnly, type Idp, startIdp } from '../support/idp.js';
import { isSoak } from '../support/soak.js';
import { type RecordingProxy, startRecordingProxy } from './recording-proxy.js';
import { type Scopemesh, startScopemesh } from './scopemesh.js';

/*
 * How long a standby that has read both sides needs from the lease to its first writes, in a mesh of some size. The
 * decisions go nowhere: a relay needs a log that the replicas share, and no write waits for it.
 */
const CLIENTS = 2_000;
const DESTINATIONS = 100;
const AT_ONCE = 32;
/** Under load. The figures themselves are in the output. */
const PATIENCE_MS = 120_000;
/** The contract: until a standby that has read both sides writes. It needs a machine of its own. */
const FIRST_WRITE_MS = isSoak ? 1_000 : PATIENCE_MS;

/** Different clients, and so different destinations. */
const REPORTED = 7;
const UNREPORTED = 8;

const serviceOf = (client: number) => `svc-${client}`;
const destinationOf = (client: number) => `d-${client % DESTINATIONS}`;

let consul: ConsulHandle;
let redis: RedisHandle;
let idp: Idp;
const replicas: { readonly daemon: Scopemesh; readonly way: RecordingProxy }[] = [];

beforeAll(async () => {
  [consul, redis] = await Promise.all([startConsul({ acl: 'deny' }), startRedis()]);
  idp = await startIdp({ single: true, now: Date.now });
  for (let client = 0; client < CLIENTS; client++) grant(client, [`${destinationOf(client)}:read`]);
  await consul.request('PUT', '/v1/config', {
    Kind: 'proxy-defaults',
    Name: 'global',
    Config: { protocol: 'http' },
  });
  const services = [
    ...Array.from({ length: DESTINATIONS }, (_, at) => ({ Service: `d-${at}`, Meta: {} })),
    ...Array.from({ length: CLIENTS }, (_, client) => {
      return { Service: serviceOf(client), Meta: { 'oauth-client-id': `${serviceOf(client)}-app` } };
    }),
  ];
  const register = async () => {
    for (let each = services.pop(); each !== undefined; each = services.pop())
      await consul.request('PUT', '/v1/catalog/register', {
        Node: 'machine',
        Address: '127.0.0.1',
        SkipNodeUpdate: true,
        Service: { ...each, Port: 1 },
      });
  };
  await Promise.all(Array.from({ length: AT_ONCE }, register));
}, 300_000);
afterAll(async () => {
  for (const { daemon, way } of replicas) {
    await daemon.kill().catch(() => {});
    await daemon.dispose();
    await way.stop();
  }
  await Promise.all([consul?.stop(), redis?.stop(), idp?.close()]);
});

function grant(client: number, scopes: readonly string[]): void {
  const clientId = `${serviceOf(client)}-app`;
  const attributes = { 'consul-services': serviceOf(client) };
  idp.clients.set(clientId, { clientId, grantTypes: ['client_credentials'], scopes, attributes });
}

async function start() {
  const way = await startRecordingProxy(consul.httpAddress);
  const listen = `127.0.0.1:${await freePort()}`;
  const daemon = await startScopemesh({
    listen,
    configuration: (state) =>
      stringify({
        owner: 'large',
        mode: 'enforce',
        consul: { address: way.address, token: consul.managementToken },
        providers: [eventsOnly(idp)],
        scopes: { '{service}:read': { to: '{service}', methods: ['GET'], path: '/' } },
        guards: { maxRevocations: { percent: 100, atLeast: CLIENTS, window: '10s' } },
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
  const replica = { daemon, way };
  replicas.push(replica);
  return replica;
}

/** The first write to the destination of this client without its source: milliseconds since the epoch. */
function closedAt({ way }: { readonly way: RecordingProxy }, client: number): number | undefined {
  const path = '/v1/config';
  const closing = way
    .accepted()
    .find(
      ({ path: of, body }) =>
        of.startsWith(path) &&
        body.includes(`"${destinationOf(client)}"`) &&
        !body.includes(`"${serviceOf(client)}"`),
    );
  return closing && performance.timeOrigin + closing.at;
}

/** When the replica got the lease, by its log: milliseconds since the epoch. */
async function ledAt({ daemon }: { readonly daemon: Scopemesh }): Promise<number> {
  const line = (await daemon.log()).split('\n').find((each) => each.includes('"this replica leads"'));
  const { time } = JSON.parse(line ?? '{}') as { time?: number | string };
  return typeof time === 'number' ? time : Date.parse(time ?? '');
}

it('a standby with the lease soon writes what an event reported, and what only a complete read finds', async () => {
  const leader = await start();
  await leader.daemon.ready(PATIENCE_MS);
  const isOpen = async () => {
    const entries = (await consul.request('GET', '/v1/config/service-intentions')) as {
      Sources: unknown[];
    }[];
    return entries.reduce((sum, { Sources }) => sum + Sources.length, 0) === CLIENTS;
  };
  await until('all are open', isOpen, { timeoutMs: PATIENCE_MS });
  const standby = await start();
  const isUp = async () =>
    (await fetch(`${standby.daemon.address}/readyz`).catch(() => undefined))?.status === 200;
  await until('the standby is up', isUp, { timeoutMs: PATIENCE_MS });
  const isWarm = async () => (await standby.daemon.log()).includes('this standby has read both sides');
  await until('the standby has read both sides', isWarm, { timeoutMs: PATIENCE_MS });

  await leader.daemon.kill();
  grant(REPORTED, []);
  grant(UNREPORTED, []);
  const event = idp.sign({ type: 'client.updated', data: { clientId: `${serviceOf(REPORTED)}-app` } });
  const answer = await fetch(`${standby.daemon.address}/events/main`, { method: 'POST', ...event });
  expect(answer.status).toBe(202);

  const areClosed = async () =>
    [REPORTED, UNREPORTED].every((client) => closedAt(standby, client) !== undefined);
  await until('both are closed', areClosed, { timeoutMs: PATIENCE_MS });
  const at = await ledAt(standby);
  const sinceLease = (instant = Number.NaN) => Math.round(instant - at);
  const [first] = standby.way.accepted();
  const figures = {
    clients: CLIENTS,
    firstWriteMs: sinceLease(first && performance.timeOrigin + first.at),
    reportedMs: sinceLease(closedAt(standby, REPORTED)),
    unreportedMs: sinceLease(closedAt(standby, UNREPORTED)),
  };
  process.stdout.write(`takeover: ${JSON.stringify(figures)}\n`);
  expect(figures.firstWriteMs).toBeLessThan(FIRST_WRITE_MS);
  expect(figures.reportedMs).toBeLessThan(FIRST_WRITE_MS);
  expect(figures.unreportedMs).toBeLessThan(PATIENCE_MS);
});
