import { setTimeout as delay } from 'node:timers/promises';
import { stringify } from 'yaml';
import { type ConsulHandle, startConsul } from '../stack/consul.js';
import { type KafkaHandle, startKafka } from '../stack/kafka.js';
import { signingKeyFile } from '../stack/key-file.js';
import { freePort } from '../stack/ports.js';
import { startRedis } from '../stack/redis.js';
import { eventsOnly, type Idp, startIdp } from '../support/idp.js';
import { createReopenings, type Reopenings } from '../support/reopenings.js';
import { type Edges, edgesOfConsul } from './crash-world.js';
import { type DecisionTopic, openDecisionTopic } from './decision-topic.js';
import { type RecordingProxy, startRecordingProxy } from './recording-proxy.js';
import { type Scopemesh, startScopemesh } from './scopemesh.js';

const TOPIC = 'scopemesh.decisions';
const PARTITIONS = 3;
const METHODS = { read: 'GET /', write: 'POST /' } as const;
const LOOK_MS = 50;
const RESEND_MS = 100;

/** A world of many clients, in which several replicas share one Redis, one Consul and one topic. */
export interface ReplicasWorld {
  readonly consul: ConsulHandle;
  /** Between all replicas and Consul, so that all writes have one order. */
  readonly way: RecordingProxy;
  readonly topic: DecisionTopic;
  readonly replicas: readonly Scopemesh[];
  readonly reopenings: Reopenings;
  /** How often Consul was looked at, and the longest time between two looks. */
  readonly looks: { count: number; longestMs: number };
  /** The client has these scopes from now on, of those with the numbers 0 to 3. */
  put(client: number, scopes: readonly number[]): void;
  scopesOf(client: number): readonly number[];
  /** Sends an event about the client to one replica after the other, from `first` on, until one takes it. */
  send(client: number, first: number): Promise<void>;
  /** Begins to look at Consul every 50 ms; resolves with what ends it, which rejects if a look failed. */
  look(): () => Promise<void>;
  isEqual(): Promise<boolean>;
  stop(): Promise<void>;
}

export interface ReplicasWorldOptions {
  readonly replicas: number;
  readonly clients: number;
  readonly destinations: number;
  /** Those that a client has at first. */
  scopesOf(client: number): readonly number[];
}

export async function startReplicasWorld(options: ReplicasWorldOptions): Promise<ReplicasWorld> {
  const stops: (() => Promise<unknown>)[] = [];
  const stop = async () => {
    for (const one of stops.splice(0).reverse()) await one().catch(() => {});
  };
  const stopped = async <T>(starting: Promise<T>, end: (started: T) => Promise<unknown>): Promise<T> => {
    const started = await starting;
    stops.push(() => end(started));
    return started;
  };
  try {
    const [consul, redis, kafka, idp] = await Promise.all([
      stopped(startConsul(), (each) => each.stop()),
      stopped(startRedis(), (each) => each.stop()),
      stopped(startKafka(), (each) => each.stop()),
      stopped(startIdp({ single: true, now: Date.now }), (each) => each.close()),
    ]);
    await Promise.all([kafka.createTopic(TOPIC, PARTITIONS), register(consul, options)]);
    const way = await stopped(startRecordingProxy(consul.httpAddress), (each) => each.stop());
    const replicas: Scopemesh[] = [];
    const world = createWorld({ ...options, consul, kafka, way, idp, replicas, stop });
    for (let client = 0; client < options.clients; client++) world.put(client, options.scopesOf(client));
    for (let at = 0; at < options.replicas; at++) {
      const listen = `127.0.0.1:${await freePort()}`;
      const configuration = configurationOf({
        way,
        idp,
        kafka,
        redis,
        listen,
        token: consul.managementToken,
      });
      replicas.push(await stopped(startScopemesh({ listen, configuration }), (each) => each.dispose()));
    }
    return world;
  } catch (error) {
    await stop();
    throw error;
  }
}

const serviceOf = (client: number) => `svc-${String(client).padStart(3, '0')}`;

/** Clients that share one destination differ in the other one. */
function scopeOf(client: number, scope: number, destinations: number): string {
  const destination = (scope < 2 ? client : client + 1 + Math.floor(client / destinations)) % destinations;
  return `d-${destination}:${scope % 2 === 0 ? 'read' : 'write'}`;
}

async function register(
  consul: ConsulHandle,
  { clients, destinations }: ReplicasWorldOptions,
): Promise<void> {
  const Config = { protocol: 'http' };
  await consul.request('PUT', '/v1/config', { Kind: 'proxy-defaults', Name: 'global', Config });
  const names = [
    ...Array.from({ length: destinations }, (_, at) => ({ Name: `d-${at}`, Port: 1 })),
    ...Array.from({ length: clients }, (_, at) => {
      return { Name: serviceOf(at), Port: 1, Meta: { 'oauth-client-id': `${serviceOf(at)}-app` } };
    }),
  ];
  for (const each of names) await consul.request('PUT', '/v1/agent/service/register', each);
}

interface Servers {
  readonly way: RecordingProxy;
  readonly idp: Idp;
  readonly kafka: KafkaHandle;
  readonly redis: { readonly url: string };
  readonly listen: string;
  readonly token: string;
}

function configurationOf({ way, idp, kafka, redis, listen, token }: Servers) {
  return (state: { directory: string }) =>
    stringify({
      owner: 'demo',
      mode: 'enforce',
      consul: { address: way.address, token },
      // An event that a replica took and lost is found by nothing else.
      providers: [eventsOnly(idp)],
      scopes: {
        '{service}:read': { to: '{service}', methods: ['GET'], path: '/' },
        '{service}:write': { to: '{service}', methods: ['POST'], path: '/' },
      },
      // A new leader infers what it reads before the event about it is taken. The guard has its own tests.
      guards: { maxRevocations: { percent: 100, atLeast: 100_000, window: '10s' } },
      queue: { kind: 'bullmq', url: redis.url },
      decisions: { kind: 'kafka', brokers: [kafka.broker], topic: TOPIC, signingKeyFile: signingKeyFile() },
      http: { listen },
      state,
    });
}

interface Parts extends Omit<ReplicasWorldOptions, 'replicas' | 'scopesOf'> {
  readonly consul: ConsulHandle;
  readonly kafka: KafkaHandle;
  readonly way: RecordingProxy;
  readonly idp: Idp;
  readonly replicas: Scopemesh[];
  stop(): Promise<void>;
}

function createWorld({ destinations, clients, consul, kafka, way, idp, replicas, stop }: Parts) {
  const reopenings = createReopenings();
  const has = new Map<number, readonly number[]>();
  const looks = { count: 0, longestMs: 0 };
  const edgesOf = (client: number): Edges => {
    const edges = new Map<string, string>();
    for (const scope of has.get(client) ?? []) {
      const [destination = '', kind] = scopeOf(client, scope, destinations).split(':');
      const edge = `${destination}/${serviceOf(client)}`;
      const opening = METHODS[kind === 'read' ? 'read' : 'write'];
      edges.set(edge, [edges.get(edge) ?? [], opening].flat().sort().join(', '));
    }
    return edges;
  };
  const desired = () => {
    const all = Array.from({ length: clients }, (_, client) => [...edgesOf(client)]).flat();
    return all.sort(([a], [b]) => (a < b ? -1 : 1));
  };
  const post = async (replica: Scopemesh | undefined, event: ReturnType<Idp['sign']>) => {
    const signal = AbortSignal.timeout(10_000);
    const sent = fetch(`${replica?.address}/events/main`, { method: 'POST', ...event, signal });
    return sent.then(
      (answer) => answer.text().then(() => answer.status === 202),
      () => false,
    );
  };
  return {
    consul,
    way,
    replicas,
    reopenings,
    looks,
    stop,
    topic: openDecisionTopic(kafka.broker, TOPIC),
    put(client: number, scopes: readonly number[]) {
      const before = edgesOf(client);
      has.set(client, scopes);
      reopenings.wants(before, edgesOf(client));
      const attributes = { 'consul-services': serviceOf(client) };
      const clientId = `${serviceOf(client)}-app`;
      const names = scopes.map((scope) => scopeOf(client, scope, destinations));
      idp.clients.set(clientId, { clientId, grantTypes: ['client_credentials'], scopes: names, attributes });
    },
    scopesOf: (client: number) => has.get(client) ?? [],
    async send(client: number, first: number) {
      const data = { clientId: `${serviceOf(client)}-app` };
      const id = `msg_${client}_${first}`;
      for (let at = first; ; at++) {
        const replica = replicas[at % replicas.length];
        if (await post(replica, idp.sign({ type: 'client.updated', data, id }))) return;
        await delay(RESEND_MS);
      }
    },
    isEqual: async () => JSON.stringify([...(await edgesOfConsul({ consul }))]) === JSON.stringify(desired()),
    /** Looks at Consul again and again until the returned function is called. */
    look() {
      let isOver = false;
      const looking = (async () => {
        let index: string | null = null;
        for (let last = performance.now(); !isOver; ) {
          // The list is heavy for all on this machine, so it is read only if the index of its table has moved.
          const found = await indexOf(consul);
          if (found !== index) reopenings.sees(await edgesOfConsul({ consul }));
          index = found;
          const now = performance.now();
          looks.longestMs = Math.max(looks.longestMs, now - last);
          looks.count++;
          await delay(Math.max(0, last + LOOK_MS - now));
          last = now;
        }
      })();
      looking.catch(() => {});
      return async () => {
        isOver = true;
        await looking;
      };
    },
  };
}

/** Of all config entries. A request for one that is missing tells it. */
async function indexOf(consul: ConsulHandle): Promise<string | null> {
  const headers = { 'x-consul-token': consul.managementToken };
  const answer = await fetch(`${consul.httpAddress}/v1/config/service-intentions/none`, { headers });
  await answer.text();
  return answer.headers.get('x-consul-index');
}
