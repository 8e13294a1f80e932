import { writeFile } from 'node:fs/promises';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { type ConsulHandle, startConsul } from '../stack/consul.js';
import { signingKeyFile } from '../stack/key-file.js';
import { freePort } from '../stack/ports.js';
import { until } from '../stack/process.js';
import { type RedisHandle, startRedis } from '../stack/redis.js';
import { eventsOnly, type Idp, startIdp } from '../support/idp.js';
import { isSoak } from '../support/soak.js';
import { type Scopemesh, startScopemesh } from './scopemesh.js';

/* Real daemons of one owner, with different files, on one real Redis and one real Consul. */

const NEW_FILE = { scopes: { 'orders:read': { to: 'orders' } } };
/** It opens more. */
const OLD_FILE = { scopes: { ...NEW_FILE.scopes, 'old:read': { to: 'old' }, 'older:read': { to: 'older' } } };

interface Shown {
  readonly leader: boolean;
  readonly differing: readonly string[];
  readonly mappingInDoubt: object | null;
  readonly sweepAgeSeconds: number | null;
  readonly replicas: readonly { readonly address: string; readonly mapping: { readonly readAt: string } }[];
  readonly holds: readonly {
    readonly reason: string;
    readonly subject: string;
    readonly decisionId: string;
  }[];
}

let consul: ConsulHandle;
let redis: RedisHandle;
let idp: Idp;
let count = 0;
let owner = '';
const daemons: Scopemesh[] = [];

beforeAll(async () => {
  [consul, redis, idp] = await Promise.all([
    startConsul({ acl: 'deny' }),
    startRedis(),
    startIdp({ single: true, now: Date.now }),
  ]);
  for (const Name of ['web', 'api', 'orders', 'old', 'older']) {
    const Meta = Name === 'web' || Name === 'api' ? { 'oauth-client-id': `${Name}-app` } : {};
    await ask('PUT', '/v1/agent/service/register', { Name, Port: 9000, Meta });
  }
});
afterAll(() => Promise.all([consul?.stop(), redis?.stop(), idp?.close()]));
afterEach(async () => {
  await Promise.all(daemons.splice(0).map((daemon) => daemon.dispose()));
  for (const name of ['orders', 'old', 'older']) await ask('DELETE', `/v1/config/service-intentions/${name}`);
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

function put(name: string, ...scopes: readonly string[]): void {
  const clientId = `${name}-app`;
  const attributes = { 'consul-services': name };
  idp.clients.set(clientId, { clientId, grantTypes: ['client_credentials'], scopes, attributes });
}

const textOf = (file: object, listen: string, state: { directory: string }) =>
  stringify({
    owner,
    mode: 'enforce',
    consul: { address: consul.httpAddress, token: consul.managementToken },
    providers: [eventsOnly(idp)],
    queue: { kind: 'bullmq', url: redis.url },
    decisions: {
      kind: 'kafka',
      brokers: ['127.0.0.1:9'],
      topic: 'none',
      index: false,
      signingKeyFile: signingKeyFile(),
    },
    http: { listen },
    state,
    ...file,
  });

async function start(file: object): Promise<Scopemesh> {
  const listen = `127.0.0.1:${await freePort()}`;
  const daemon = await startScopemesh({ listen, configuration: (state) => textOf(file, listen, state) });
  daemons.push(daemon);
  await until('it is up', async () => (await shown(daemon)) !== undefined, { timeoutMs: 60_000 });
  return daemon;
}

async function change(daemon: Scopemesh, file: object): Promise<void> {
  const listen = new URL(daemon.address).host;
  await writeFile(daemon.configFile, textOf(file, listen, { directory: daemon.stateDirectory }), {
    mode: 0o600,
  });
}

const shown = async ({ address }: Scopemesh) => {
  const answer = await fetch(`${address}/statusz`).catch(() => undefined);
  return answer === undefined ? undefined : ((await answer.json()) as Shown);
};
const shows = (what: string, daemon: Scopemesh, is: (status: Shown) => boolean) =>
  until(
    what,
    async () => {
      const status = await shown(daemon);
      return status !== undefined && is(status);
    },
    { timeoutMs: 90_000 },
  );
const leads = (daemon: Scopemesh) =>
  shows(
    'it leads and has compared everything',
    daemon,
    ({ leader, sweepAgeSeconds }) => leader && sweepAgeSeconds !== null,
  );

async function sourcesOf(destination: string): Promise<readonly string[]> {
  const entry = await ask('GET', `/v1/config/service-intentions/${destination}`);
  const { Sources = [] } = (entry ?? {}) as { Sources?: readonly { Name: string; Action?: string }[] };
  return Sources.filter(({ Action }) => Action === 'allow').map(({ Name }) => Name);
}
const calls = (source: string, destination: string, can = true) =>
  until(
    `${source} ${can ? 'may' : 'may not'} call ${destination}`,
    async () => (await sourcesOf(destination)).includes(source) === can,
    { timeoutMs: 60_000 },
  );

async function tell({ address }: Scopemesh, name: string): Promise<void> {
  await until('the event is taken', async () => {
    const { headers, body } = idp.sign({ type: 'client.updated', data: { clientId: `${name}-app` } });
    return (await fetch(`${address}/events/main`, { method: 'POST', headers, body })).status === 202;
  });
}

const held = async (daemon: Scopemesh) =>
  ((await shown(daemon))?.holds ?? []).filter(({ reason }) => reason === 'MappingDiffers');

/** Kills the leader after it was seen to lead beside this replica. */
async function killBeside(leader: Scopemesh, other: Scopemesh): Promise<void> {
  const [own] = (await shown(other))?.replicas.filter(({ address }) => address === other.address) ?? [];
  const client = new Redis(redis.url);
  await until('the leader lives beside it', async () => {
    const inForce = await client.hget(`scopemesh:${owner}:facts`, 'mapping-in-force');
    return inForce !== null && JSON.parse(inForce).seenAt > (own?.mapping.readAt ?? '~');
  });
  client.disconnect();
  await leader.kill();
}

it('a standby with an older file opens nothing by it after the leader died, until a person approves or the files agree', async () => {
  owner = `team-${++count}`;
  put('web', 'orders:read', 'old:read', 'older:read');
  put('api');
  const leader = await start(NEW_FILE);
  await leads(leader);
  await calls('web', 'orders');
  const stale = await start(OLD_FILE);
  await shows('the standby differs', leader, ({ differing }) => differing.length === 1);
  await shows('the leader differs', stale, ({ differing }) => differing.length === 1);
  const metrics = await (await fetch(`${leader.address}/metrics`)).text();
  expect(metrics).toMatch(/^scopemesh_replicas_differing 1$/m);

  await killBeside(leader, stale);
  await leads(stale);
  await shows(
    'it holds',
    stale,
    ({ holds }) => holds.filter(({ reason }) => reason === 'MappingDiffers').length === 2,
  );
  expect(await sourcesOf('old')).toEqual([]);
  // What the identity provider changes now opens and closes.
  put('api', 'orders:read');
  await tell(stale, 'api');
  await calls('api', 'orders');
  put('web', 'old:read', 'older:read');
  await tell(stale, 'web');
  await calls('web', 'orders', false);
  // The dead replica is not listed any more, and that is no agreement.
  await shows(
    'it is alone',
    stale,
    ({ replicas, differing }) => replicas.length === 1 && differing.length === 0,
  );
  await tell(stale, 'web');
  expect((await shown(stale))?.mappingInDoubt).not.toBeNull();
  expect(await sourcesOf('old')).toEqual([]);

  const [approved] = (await held(stale)).filter(({ subject }) => subject.includes('/old/'));
  const answer = await fetch(`${stale.address}/api/holds/${approved?.decisionId}/approve`, {
    method: 'POST',
    headers: { authorization: `Bearer ${await stale.apiToken()}`, 'content-type': 'application/json' },
    body: JSON.stringify({ user: 'alice' }),
  });
  expect(answer.status).toBe(200);
  await calls('web', 'old');
  expect(await sourcesOf('older')).toEqual([]);
  expect(await held(stale)).toHaveLength(1);

  await change(leader, OLD_FILE);
  await leader.start();
  await calls('web', 'older');
  await shows(
    'it is no longer in doubt',
    stale,
    ({ mappingInDoubt, holds }) => mappingInDoubt === null && holds.length === 0,
  );
});

it.runIf(isSoak)(
  'a new file takes effect at the end of a rolling update, and at the restart of the only replica, without a person',
  async () => {
    owner = `team-${++count}`;
    put('web', 'orders:read', 'old:read', 'older:read');
    const first = await start(NEW_FILE);
    await leads(first);
    const second = await start(NEW_FILE);
    await calls('web', 'orders');
    // The standby first, then the leader.
    await second.stop();
    await change(second, OLD_FILE);
    await second.start();
    await shows('it differs', first, ({ differing }) => differing.length === 1);
    await first.stop();
    await leads(second);
    await change(first, OLD_FILE);
    await first.start();
    await calls('web', 'old');
    await first.stop();
    await second.stop();
    await change(second, NEW_FILE);
    await second.start();
    await calls('web', 'old', false);
    expect(await held(second)).toEqual([]);
    await second.kill();
    await change(second, OLD_FILE);
    await second.start();
    await calls('web', 'old');
    expect(await held(second)).toEqual([]);
  },
);

it.runIf(isSoak)('a replica in observe does not lead after a leader that enforced died', async () => {
  owner = `team-${++count}`;
  put('web', 'orders:read');
  const leader = await start(NEW_FILE);
  await leads(leader);
  await calls('web', 'orders');
  const observer = await start({ ...NEW_FILE, mode: 'observe' });
  await shows('it differs', leader, ({ differing }) => differing.length === 1);
  await killBeside(leader, observer);
  await until('it says why it does not lead', async () => /mode observe/.test(await observer.log()), {
    timeoutMs: 60_000,
  });
  put('web');
  await tell(observer, 'web');
  await shows('the dead one is forgotten', observer, ({ replicas }) => replicas.length === 1);
  expect((await shown(observer))?.leader).toBe(false);
  await leader.start();
  await calls('web', 'orders', false);
});
