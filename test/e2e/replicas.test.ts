import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { type ConsulHandle, startConsul } from '../stack/consul.js';
import { signingKeyFile } from '../stack/key-file.js';
import { freePort } from '../stack/ports.js';
import { until } from '../stack/process.js';
import { type RedisHandle, startRedis } from '../stack/redis.js';
import { eventsOnly, type Idp, type IdpClient, startIdp } from '../support/idp.js';
import { isSoak } from '../support/soak.js';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js';
import { FOLLOWS, LEADS_ONCE, showsLeadership } from './leadership-metrics.js';
import { type RecordingProxy, startRecordingProxy } from './recording-proxy.js';
import { BUILT, type Scopemesh, startScopemesh } from './scopemesh.js';

/*
 * Several real daemons of one owner on one real Redis and one real Consul. The decisions go nowhere: a relay needs a log
 * that the replicas share, and what it does is tested elsewhere.
 */
const CLIENTS = 12;
/** The contract pauses a leader for 40 s. Otherwise until another one has led, which is what the pause is for. */
const PAUSE_MS = isSoak ? 40_000 : 0;
const serviceAt = (at: number) => `svc-${String(at).padStart(2, '0')}`;

interface Replica {
  readonly daemon: Scopemesh;
  /** Its own way to Redis and to Consul. */
  readonly redisWay: TcpProxy;
  readonly consulWire: TcpProxy;
  /** Behind the wire: what it has passed on. */
  readonly consulWay: RecordingProxy;
}

interface ReplicaStatus {
  readonly leader: boolean;
  readonly leading: { readonly replica: string; readonly epoch: number; readonly isAlive: boolean } | null;
  readonly replicas: readonly { readonly address: string; readonly leader: boolean }[];
}

let consul: ConsulHandle;
let redis: RedisHandle;
let idp: Idp;
let owner = '';
let count = 0;
const replicas: Replica[] = [];

beforeAll(async () => {
  [consul, redis] = await Promise.all([startConsul({ acl: 'deny' }), startRedis()]);
  idp = await startIdp({ single: true, now: Date.now });
  await ask('PUT', '/v1/config', { Kind: 'proxy-defaults', Name: 'global', Config: { protocol: 'http' } });
  for (let at = 0; at < CLIENTS; at++) {
    const Meta = { 'oauth-client-id': `${serviceAt(at)}-app` };
    await ask('PUT', '/v1/agent/service/register', { Name: serviceAt(at), Port: 9000 + at, Meta });
  }
  await ask('PUT', '/v1/agent/service/register', { Name: 'orders', Port: 8000 });
}, 300_000);
afterAll(() => Promise.all([consul?.stop(), redis?.stop(), idp?.close()]));
afterEach(async () => {
  await Promise.all(
    replicas.splice(0).map(async ({ daemon, redisWay, consulWire, consulWay }) => {
      if (daemon.process.isRunning()) daemon.signal('SIGCONT');
      await daemon.kill().catch(() => {});
      await daemon.dispose();
      await Promise.all([redisWay.cut(), consulWire.cut(), consulWay.stop()]);
    }),
  );
  await ask('DELETE', '/v1/config/service-intentions/orders');
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

function clientAt(at: number, scopes = ['orders:read']): IdpClient {
  return {
    clientId: `${serviceAt(at)}-app`,
    grantTypes: ['client_credentials'],
    scopes,
    attributes: { 'consul-services': serviceAt(at) },
  };
}

async function start(more: Readonly<Record<string, unknown>> = {}): Promise<Replica> {
  const redisWay = await startTcpProxy(redis.port);
  const consulWay = await startRecordingProxy(consul.httpAddress);
  const consulWire = await startTcpProxy(Number(new URL(consulWay.address).port));
  const listen = `127.0.0.1:${await freePort()}`;
  const daemon = await startScopemesh({
    listen,
    configuration: (state) =>
      stringify({
        owner,
        mode: 'enforce',
        consul: { address: `http://127.0.0.1:${consulWire.port}`, token: consul.managementToken },
        providers: [eventsOnly(idp)],
        scopes: { 'orders:read': { to: 'orders', methods: ['GET'], path: '/' } },
        guards: { maxRevocations: { percent: 100, atLeast: 100, window: '10s' } },
        queue: { kind: 'bullmq', url: `redis://127.0.0.1:${redisWay.port}` },
        decisions: {
          kind: 'kafka',
          brokers: ['127.0.0.1:9'],
          topic: 'none',
          index: false,
          signingKeyFile: signingKeyFile(),
        },
        http: { listen },
        state,
        ...more,
      }),
  });
  const replica = { daemon, redisWay, consulWire, consulWay };
  replicas.push(replica);
  return replica;
}

const statusOf = async ({ daemon }: Replica): Promise<ReplicaStatus> => {
  const answer = await fetch(`${daemon.address}/statusz`, { signal: AbortSignal.timeout(2_000) });
  return (await answer.json()) as ReplicaStatus;
};
const leads = async (replica: Replica) => (await statusOf(replica).catch(() => undefined))?.leader === true;
const isUp = async ({ daemon }: Replica) =>
  (await fetch(`${daemon.address}/readyz`).catch(() => undefined))?.status === 200;

async function sourcesOfOrders(): Promise<readonly string[]> {
  const entry = (await ask('GET', '/v1/config/service-intentions/orders')) as
    | { Sources: { Name: string; Permissions?: { Action: string }[] | null; Action?: string }[] }
    | undefined;
  return (entry?.Sources ?? [])
    .filter(
      ({ Permissions, Action }) => Action === 'allow' || Permissions?.some((each) => each.Action === 'allow'),
    )
    .map(({ Name }) => Name);
}
const isOpen = async (at: number) => (await sourcesOfOrders()).includes(serviceAt(at));

/** Sends the event until it is taken, as an identity provider does: a replica that was paused has to connect again. */
async function tell({ daemon }: Replica, at: number): Promise<void> {
  await until('the event is taken', async () => {
    const { headers, body } = idp.sign({
      type: 'client.updated',
      data: { clientId: `${serviceAt(at)}-app` },
    });
    const answer = await fetch(`${daemon.address}/events/main`, { method: 'POST', headers, body });
    return answer.status === 202;
  });
}

/** Takes the scope from the client and says so to this replica; resolves with how long it took to close. */
async function revoke(replica: Replica, at: number): Promise<number> {
  const began = performance.now();
  idp.clients.set(`${serviceAt(at)}-app`, clientAt(at, []));
  await tell(replica, at);
  await until(`${serviceAt(at)} is closed`, async () => !(await isOpen(at)), { timeoutMs: 60_000 });
  return performance.now() - began;
}

/** Somebody deletes the entry by hand; resolves once the leader has written it again. Every replica sees it. */
async function drift(): Promise<void> {
  const { length } = await sourcesOfOrders();
  await ask('DELETE', '/v1/config/service-intentions/orders');
  const isBack = async () => (await sourcesOfOrders()).length === length;
  await until('what somebody deleted is back', isBack, { timeoutMs: 60_000 });
}

/** What a Redis answers to an inline command. */
async function said({ port }: RedisHandle, command: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.write(`${command}\r\n`);
  const [answer] = await once(socket, 'data');
  socket.destroy();
  return String(answer);
}

/** The last pulse of the leader in Consul. */
async function pulse(): Promise<string> {
  const [pair] = (await ask('GET', `/v1/kv/scopemesh/${owner}/leader`)) as { Value: string }[];
  const { pulses } = JSON.parse(Buffer.from(pair?.Value ?? '', 'base64').toString()) as { pulses: string[] };
  return pulses[0] ?? '';
}

/** A world of its own, in which all are open. */
async function startReplicas(
  many: number,
  more: Readonly<Record<string, unknown>> = {},
): Promise<{ leader: Replica; standbys: Replica[] }> {
  owner = `team-${++count}`;
  for (let at = 0; at < CLIENTS; at++) idp.clients.set(`${serviceAt(at)}-app`, clientAt(at));
  const leader = await start(more);
  await until('the first leads', () => leads(leader), { timeoutMs: 30_000 });
  const standbys: Replica[] = [];
  for (let at = 1; at < many; at++) standbys.push(await start());
  for (const each of standbys) await until('a standby is up', () => isUp(each), { timeoutMs: 30_000 });
  await until('all are open', async () => (await sourcesOfOrders()).length === CLIENTS, {
    timeoutMs: 60_000,
  });
  return { leader, standbys };
}

const leaderOf = async (all: readonly Replica[]): Promise<Replica> => {
  let found: Replica | undefined;
  await until(
    'another replica leads',
    async () => {
      for (const each of all) if (await leads(each)) found = each;
      return found !== undefined;
    },
    { timeoutMs: 40_000 },
  );
  if (found === undefined) throw new Error('nobody leads');
  return found;
};

describe('three replicas on one Redis and one Consul', () => {
  it('hand over at a clean stop, at a kill and after a pause, and a late leader writes nothing', async () => {
    const { leader, standbys } = await startReplicas(3);
    const [second, third] = standbys;
    if (second === undefined || third === undefined) throw new Error('too few');
    expect(await Promise.all(standbys.map(leads))).toEqual([false, false]);
    const all = [leader, second, third];
    for (const each of all) await showsLeadership(each, each === leader ? LEADS_ONCE : FOLLOWS);
    const listed = await until('each is listed, and one of them as the leader', async () => {
      const found = (await statusOf(second)).replicas;
      return found.length === all.length && found.some((each) => each.leader) && found;
    });
    expect(listed.map(({ address }) => address).sort()).toEqual(
      all.map(({ daemon }) => daemon.address).sort(),
    );
    expect(listed.filter((each) => each.leader)).toMatchObject([{ address: leader.daemon.address }]);
    // An event that reaches a standby wakes the leader.
    const viaStandbyMs = await revoke(second, 0);

    // A revocation sent to a standby while the leader stops.
    const stopping = leader.daemon.stop();
    const cleanMs = await revoke(second, 1);
    expect(await stopping).toBe(0);

    // kill -9 of the next leader.
    const next = await leaderOf(standbys);
    const last = next === second ? third : second;
    await next.daemon.kill();
    const killMs = await revoke(last, 2);
    await leader.daemon.start();
    await until('the first is up again', () => isUp(leader), { timeoutMs: 30_000 });

    // A pause that is longer than the lease. What the paused leader would do late is seen at its own proxy.
    await until('the last one leads', () => leads(last), { timeoutMs: 30_000 });
    last.daemon.signal('SIGSTOP');
    const resumeAt = performance.now() + PAUSE_MS;
    const pauseMs = await revoke(leader, 3);
    await delay(Math.max(0, resumeAt - performance.now()));
    const before = await statusOf(leader);
    const written = last.consulWay.writes.length;
    idp.clients.set(`${serviceAt(4)}-app`, clientAt(4, []));
    last.daemon.signal('SIGCONT');
    await tell(last, 4);
    await until('the paused one follows', async () => (await statusOf(last)).leader === false, {
      timeoutMs: 30_000,
    });
    await until('the event that it took is done', async () => !(await isOpen(4)), { timeoutMs: 30_000 });
    expect(last.consulWay.writes.length).toBe(written);
    expect((await statusOf(leader)).leading).toMatchObject({ epoch: before.leading?.epoch ?? 0 });
    await showsLeadership(leader, LEADS_ONCE);
    await showsLeadership(last, { ...FOLLOWS, takeovers: 1 });
    for (const at of [0, 1, 2, 3, 4]) expect(await isOpen(at)).toBe(false);
    // A decision for each of the three changes of leader. Nothing publishes here, so its revision is looked up.
    const revision = await said(redis, `HGET scopemesh:${owner}:revisions leader/${owner}`);
    expect(revision).toBe('$1\r\n3\r\n');
    const figures = { viaStandbyMs, cleanMs, killMs, pauseMs };
    process.stdout.write(`replicas: ${JSON.stringify(figures)}\n`);
    // Without a clean release the session would last for 10 s at least. The contract's bound needs a machine of its own.
    expect(cleanMs).toBeLessThan(isSoak ? 3_000 : 10_000);
    expect(killMs).toBeLessThan(30_000);
    expect(pauseMs).toBeLessThan(30_000);
  }, 300_000);

  it('another leads when the leader is cut off from Redis or from Consul, and the one cut off writes nothing', async () => {
    const { leader, standbys } = await startReplicas(2);
    const [second] = standbys;
    if (second === undefined) throw new Error('too few');
    await leader.redisWay.cut();
    const redisMs = await revoke(second, 0);
    expect(await leads(second)).toBe(true);
    const written = leader.consulWay.writes.length;
    await drift();
    await leader.redisWay.mend();
    await until('the first follows', async () => (await statusOf(leader)).leader === false, {
      timeoutMs: 60_000,
      process: leader.daemon.process,
    });
    expect(leader.consulWay.writes.length).toBe(written);

    // No connection of the second to Consul from now on: its session ends.
    await second.consulWire.cut();
    const consulMs = await revoke(leader, 1);
    expect(await leads(leader)).toBe(true);
    const late = second.consulWay.writes.length;
    await second.consulWire.mend();
    await drift();
    await until('the second follows', async () => (await statusOf(second)).leader === false, {
      timeoutMs: 60_000,
    });
    expect(second.consulWay.writes.length).toBe(late);
    expect(leader.consulWay.writes.length).toBeGreaterThan(written);
    process.stdout.write(`replicas: ${JSON.stringify({ redisMs, consulMs })}\n`);
    expect(Math.max(redisMs, consulMs)).toBeLessThan(30_000);
  });
});

describe('a replica that must not lead', () => {
  it('as a command apply with another state directory exits 1, names the leader, and writes nothing', async () => {
    const { leader, standbys } = await startReplicas(2);
    const [other] = standbys;
    if (other === undefined) throw new Error('too few');
    // Nobody tells the leader, so this is pending.
    idp.clients.set(`${serviceAt(0)}-app`, clientAt(0, []));
    const args = [BUILT, '-c', other.daemon.configFile, 'apply', '--yes'];
    const { leading } = await statusOf(leader);
    const run = promisify(execFile)(process.execPath, args, { timeout: 120_000 });
    await expect(run).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringContaining(`${leading?.replica} on `),
    });
    await expect(run).rejects.toMatchObject({ stderr: expect.stringContaining('applies changes itself') });
    expect(other.consulWay.writes).toEqual([]);
    expect(await isOpen(0)).toBe(true);
    expect(await leads(leader)).toBe(true);
  });

  it('with a store of its own exits 1, names the leader, and has written nothing', async () => {
    const { leader } = await startReplicas(1);
    const other = await start({ queue: { kind: 'embedded' }, decisions: { kind: 'embedded' } });
    expect(await other.daemon.process.exited).toBe(1);
    expect(await other.daemon.log()).toMatch(/leads this owner: .* on .*, since .*share one store/);
    expect(other.consulWay.writes).toEqual([]);
    expect(await leads(leader)).toBe(true);
  });

  it('on a fresh copy of the Redis of the leader follows it', async () => {
    const { leader } = await startReplicas(1);
    const copy = await startRedis();
    try {
      await said(copy, `REPLICAOF 127.0.0.1 ${redis.port}`);
      const isCopied = async () => (await said(copy, 'INFO replication')).includes('master_link_status:up');
      await until('all is copied', isCopied);
      await said(copy, 'REPLICAOF NO ONE');
      const other = await start({ queue: { kind: 'bullmq', url: copy.url } });
      await until('it is up', () => isUp(other), { timeoutMs: 30_000 });
      const gone = async () => (await said(copy, `EXISTS scopemesh:${owner}:alive`)).startsWith(':0');
      await until('the leader is silent in the copy', gone);
      // Three pulses later it would have taken the lease long ago.
      const pulses = new Set<string>();
      await until('the leader goes on', async () => pulses.add(await pulse()).size > 3, {
        timeoutMs: 60_000,
      });
      expect(await leads(other)).toBe(false);
      expect(await leads(leader)).toBe(true);
      expect(other.consulWay.writes).toEqual([]);
    } finally {
      await copy.stop();
    }
  });

  it('with a decision log of its own beside another exits 1', async () => {
    const own = { decisions: { kind: 'embedded' } };
    const { leader } = await startReplicas(1, own);
    const other = await start(own);
    expect(await other.daemon.process.exited).toBe(1);
    expect(await other.daemon.log()).toContain(
      'the decision log of this owner is on the disk of another replica',
    );
    expect(other.consulWay.writes).toEqual([]);
    expect(await leads(leader)).toBe(true);
  });

  it('with a store that belongs to another Consul cluster exits 1', async () => {
    const { leader } = await startReplicas(1);
    await leader.daemon.kill();
    const key = `/v1/kv/scopemesh/${owner}/cluster`;
    expect(await ask('PUT', key, { another: 'cluster' })).toBe(true);
    const other = await start();
    expect(await other.daemon.process.exited).toBe(1);
    expect(await other.daemon.log()).toContain('belongs to another Consul cluster');
    expect(other.consulWay.writes).toEqual([]);
  });
});
