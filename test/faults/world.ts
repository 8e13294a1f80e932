import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import type { Decision } from '../../src/model/decision.js';
import { type Edges, edgesOfConsul } from '../e2e/crash-world.js';
import { openDecisionTopic } from '../e2e/decision-topic.js';
import { seedForeign } from '../e2e/foreign.js';
import { type RecordingProxy, startRecordingProxy } from '../e2e/recording-proxy.js';
import { type Scopemesh, startScopemesh } from '../e2e/scopemesh.js';
import { type ConsulHandle, startConsul } from '../stack/consul.js';
import { freePort } from '../stack/ports.js';
import { createRunDirectory, removeRunDirectory, until } from '../stack/process.js';
import { createDecisionReader } from '../support/decision-reader.js';
import { type Idp, type IdpClient, type SignableEvent, startIdp } from '../support/idp.js';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js';

export const CLIENTS = 24;
export const DESTINATIONS = 4;

export interface WorldOptions {
  /** Over the top level of the configuration. */
  readonly configuration?: Readonly<Record<string, unknown>>;
  /** Where the daemon publishes; its own log if there is none. */
  readonly topic?: { readonly broker: string; readonly name: string };
  /** Instead of a single server. The daemon talks to this one; `stop` ends it. */
  readonly consul?: ConsulHandle;
  /** Puts the state of the daemon elsewhere. */
  readonly state?: string;
}

/** A real Consul behind a proxy, a directory document with its events, and the real daemon between them. */
export interface World {
  readonly consul: ConsulHandle;
  /** Between the daemon and Consul. */
  readonly way: RecordingProxy;
  readonly idp: Idp;
  /** Between the daemon and the identity provider, and the address of the directory there. */
  readonly idpWay: TcpProxy;
  readonly directory: string;
  readonly daemon: Scopemesh;
  /** Whether its clients log in to Consul. */
  readonly hasLogins: boolean;
  /** What the identity provider opens now, by `destination/source`. */
  desired(): Edges;
  /** All openings of every edge since `forget`: those of then, and of each state of the identity provider. */
  readonly everDesired: ReadonlyMap<string, ReadonlySet<string>>;
  forget(edges: Edges): void;
  /**
   * The next changes at the identity provider: scopes given and taken, a client disabled, one deleted, and what the
   * change before had disabled and deleted put back. Their events are sent again until they are taken.
   */
  change(): void;
  /** Puts back what is disabled and deleted. */
  putBack(): void;
  /** Makes one change of one client and sends its event. */
  put(clientId: string, scopes: readonly string[]): void;
  /** Resolves once every event was taken. */
  delivered(): Promise<void>;
  /** Every decision so far, in the order of each subject. */
  decisions(): Promise<readonly Decision[]>;
  /** Sets the clock of the daemon this far from the true one. */
  stepClock(ms: number): Promise<void>;
  stop(): Promise<void>;
}

const METHOD = { read: 'GET /', write: 'POST /' } as const;
const SCOPES = Array.from({ length: DESTINATIONS }, (_, at) => [`d-${at}:read`, `d-${at}:write`]).flat();
const service = (at: number) => `svc-${String(at % CLIENTS).padStart(2, '0')}`;
export const clientOf = (at: number) => `${service(at)}-app`;
const scopeOf = (at: number) => SCOPES[at % SCOPES.length] ?? '';

export async function startWorld(options: WorldOptions = {}): Promise<World> {
  const stops: (() => Promise<unknown>)[] = [];
  const stop = async () => {
    for (const one of stops.splice(0).reverse()) await one().catch(() => {});
  };
  try {
    const consul = options.consul ?? (await startConsul());
    stops.push(() => consul.stop());
    await seed(consul);
    const way = await startRecordingProxy(consul.httpAddress);
    stops.push(() => way.stop());
    const idp = await startIdp({ single: true, now: Date.now });
    stops.push(() => idp.close());
    const idpWay = await startTcpProxy(Number(new URL(idp.url).port));
    stops.push(() => idpWay.cut());
    const directory = `http://127.0.0.1:${idpWay.port}/directory`;
    for (let at = 0; at < CLIENTS; at++) idp.clients.set(clientOf(at), clientAt(at, [scopeOf(at)]));
    const listen = `127.0.0.1:${await freePort()}`;
    const clock = await createRunDirectory('clock');
    stops.push(() => removeRunDirectory(clock));
    const stepFile = join(clock, 'step');
    process.env.CLOCK_STEP_FILE = stepFile;
    const daemon = await startScopemesh({
      listen,
      nodeArguments: ['--import', fileURLToPath(new URL('../support/stepped-clock.mjs', import.meta.url))],
      configuration: (state) =>
        stringify({
          owner: 'demo',
          mode: 'enforce',
          consul: { address: way.address, token: consul.managementToken },
          providers: [
            {
              name: 'main',
              kind: 'oidc',
              issuer: idp.issuer,
              directory,
              directoryToken: idp.directoryToken,
              webhook: { secrets: [idp.webhookSecret] },
              audience: 'consul',
              // Complete reads are the backstop of the events, as often as the fastest poll.
              poll: '2s',
            },
          ],
          scopes: {
            '{service}:read': { to: '{service}', methods: ['GET'], path: '/' },
            '{service}:write': { to: '{service}', methods: ['POST'], path: '/' },
          },
          // Every row loses less than the limit, and what one row loses does not count in the next.
          guards: { maxRevocations: { percent: 20, atLeast: 10, window: '10s' } },
          decisions:
            options.topic === undefined
              ? { kind: 'embedded' }
              : { kind: 'kafka', brokers: [options.topic.broker], topic: options.topic.name },
          http: { listen },
          state: options.state === undefined ? state : { directory: options.state },
          ...options.configuration,
        }),
    });
    stops.push(() => daemon.dispose());
    const state = options.state ?? daemon.stateDirectory;
    const log = createDecisionReader(state);
    stops.push(() => log.close());
    const { topic } = options;
    const all = topic === undefined ? log : openDecisionTopic(topic.broker, topic.name);
    const events = createSender(idp, daemon.address);
    stops.push(async () => events.stop());
    const world = createWorld({
      consul,
      way,
      idp,
      idpWay,
      directory,
      daemon,
      hasLogins: options.configuration?.login === 'on',
      events,
      stepFile,
      stop,
      decisions: () => all.read(),
    });
    await daemon.ready(90_000);
    await until('Consul equals the identity provider', () => isEqual(world), { timeoutMs: 60_000 });
    await daemon.idle();
    return world;
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Sends one event once; resolves with the status of the answer. */
export async function post({ daemon, idp }: World, event: SignableEvent): Promise<number> {
  const { headers, body } = idp.sign(event);
  const answer = await fetch(`${daemon.address}/events/main`, { method: 'POST', headers, body });
  await answer.arrayBuffer();
  return answer.status;
}

/** Whether what Consul has of ours is what the identity provider opens. */
export async function isEqual(world: World): Promise<boolean> {
  return JSON.stringify([...(await edgesOfConsul(world))]) === JSON.stringify([...world.desired()]);
}

async function seed(consul: ConsulHandle): Promise<void> {
  for (let at = 0; at < DESTINATIONS; at++)
    await consul.request('PUT', '/v1/config', {
      Kind: 'service-defaults',
      Name: `d-${at}`,
      Protocol: 'http',
    });
  for (let at = 0; at < CLIENTS; at++)
    await consul.request('PUT', '/v1/agent/service/register', {
      Name: service(at),
      Port: 1,
      Meta: { 'oauth-client-id': clientOf(at) },
    });
  await consul.request('PUT', '/v1/config', { Kind: 'service-defaults', Name: 'orders', Protocol: 'http' });
  await seedForeign(consul);
  await consul.request('PUT', '/v1/config', {
    Kind: 'service-intentions',
    Name: 'd-0',
    Meta: { team: 'zero' },
    Sources: [{ Name: 'by-hand', Action: 'allow', Description: 'ticket 4711' }],
  });
}

function clientAt(at: number, scopes: readonly string[]): IdpClient {
  return {
    clientId: clientOf(at),
    grantTypes: ['client_credentials'],
    scopes,
    attributes: { 'consul-services': service(at) },
  };
}

interface Parts
  extends Pick<
    World,
    'consul' | 'way' | 'idp' | 'idpWay' | 'directory' | 'daemon' | 'hasLogins' | 'stop' | 'decisions'
  > {
  readonly events: Sender;
  readonly stepFile: string;
}

function createWorld({ events, stepFile, ...parts }: Parts): World {
  const { idp, daemon } = parts;
  const everDesired = new Map<string, Set<string>>();
  const desired = () => edgesOf(idp.clients.values());
  const note = (edges = desired()) => {
    for (const [edge, openings] of edges) {
      const known = everDesired.get(edge) ?? new Set();
      for (const each of openings.split(', ')) known.add(each);
      everDesired.set(edge, known);
    }
  };
  let turn = 0;
  let away: { readonly deleted: IdpClient; readonly disabled: string } | undefined;
  const changed = (type: string, clientId: string) => {
    note();
    events.send(type, clientId);
  };
  const put = (clientId: string, scopes: readonly string[]) => {
    idp.put(clientId, ...scopes);
    changed('client.updated', clientId);
  };
  const putBack = () => {
    if (away === undefined) return;
    const { deleted, disabled } = away;
    away = undefined;
    idp.clients.set(deleted.clientId, deleted);
    changed('client.created', deleted.clientId);
    idp.change(disabled, { enabled: true });
    changed('client.updated', disabled);
  };
  note();
  return {
    ...parts,
    desired,
    everDesired,
    forget(edges) {
      everDesired.clear();
      note(edges);
      note();
    },
    put,
    putBack,
    change() {
      putBack();
      turn++;
      const first = turn * 5;
      // Two gain, two lose, and of two others one is disabled and one deleted.
      for (const at of [first, first + 1]) put(clientOf(at), [scopeOf(at), scopeOf(at + 3 + turn)]);
      for (const at of [first + 2, first + 3]) put(clientOf(at), [scopeOf(at + 1 + turn)]);
      const deleted = idp.clients.get(clientOf(first + 4));
      const disabled = clientOf(first + 5);
      if (deleted === undefined) throw new Error(`${clientOf(first + 4)} is gone already`);
      idp.clients.delete(deleted.clientId);
      changed('client.deleted', deleted.clientId);
      idp.change(disabled, { enabled: false });
      changed('client.disabled', disabled);
      away = { deleted, disabled };
    },
    delivered: () => events.delivered(),
    async stepClock(ms) {
      await writeFile(stepFile, String(ms));
      daemon.signal('SIGUSR2');
      const stepped = async () => (await readFile(`${stepFile}.done`, 'utf8')) === String(ms);
      await until('the clock of the daemon is stepped', stepped);
    },
  };
}

function edgesOf(clients: Iterable<IdpClient>): Edges {
  const edges = new Map<string, string>();
  for (const { enabled, scopes, attributes } of clients) {
    if (enabled === false) continue;
    const opened = new Map<string, string[]>();
    for (const scope of scopes) {
      const [destination = '', kind] = scope.split(':');
      const openings = opened.get(destination) ?? [];
      opened.set(destination, [...openings, METHOD[kind === 'read' ? 'read' : 'write']]);
    }
    for (const [destination, openings] of opened)
      edges.set(
        `${destination}/${attributes?.['consul-services']}`,
        [...new Set(openings)].sort().join(', '),
      );
  }
  return new Map([...edges].sort(([a], [b]) => (a < b ? -1 : 1)));
}

interface Sender {
  send(type: string, clientId: string): void;
  delivered(): Promise<void>;
  stop(): void;
}

const RESEND_MS = 500;

/** Sends each event until it is taken, as an identity provider does that delivers at least once. */
function createSender(idp: Idp, address: string): Sender {
  const open = new Set<Promise<void>>();
  const stop = new AbortController();
  const deliver = async (type: string, clientId: string) => {
    const id = `msg_${clientId}_${Date.now()}_${open.size}`;
    for (;;) {
      if (stop.signal.aborted) return;
      // Signed again each time, as its time says when it was sent.
      const { headers, body } = idp.sign({ type, data: { clientId }, id });
      const taken = await fetch(`${address}/events/main`, {
        method: 'POST',
        headers,
        body,
        signal: AbortSignal.timeout(10_000),
      }).then(
        (answer) => answer.text().then(() => answer.status === 202),
        () => false,
      );
      if (taken) return;
      await new Promise((resolve) => setTimeout(resolve, RESEND_MS));
    }
  };
  return {
    send(type, clientId) {
      const sent = deliver(type, clientId).finally(() => open.delete(sent));
      open.add(sent);
    },
    async delivered() {
      await until('every event is taken', () => open.size === 0, { timeoutMs: 90_000 });
    },
    stop: () => stop.abort(),
  };
}
