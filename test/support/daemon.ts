import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { Config } from '../../config/config.js';
import { loadConfig } from '../../config/load.js';
import { readTextFile } from '../../config/read-text-file.js';
import { readApiToken } from '../../src/app/api-token.js';
import { createMetrics } from '../../src/app/metrics.js';
import { ROLES, type Role } from '../../src/app/run-daemon.js';
import type { Status } from '../../src/daemon/status.js';
import type { Decision } from '../../src/model/decision.js';
import { Secret } from '../../src/model/secret.js';
import { type Logger, silentLogger } from '../../src/observe.js';
import { runDaemon } from '../../workers/daemon.js';
import { type ConsulProxy, startConsulProxy } from './consul-proxy.js';
import { createDecisionReader } from './decision-reader.js';
import { type Idp, type IdpClient, type SignableEvent, startIdp } from './idp.js';
import { type Mesh, startMesh } from './mesh.js';
import { createMovableClock, type MovableClock } from './movable-clock.js';
import { send } from './send.js';
import { makeSparseReserve } from './sparse-reserve.js';
import { trailFaults } from './trail-faults.js';
import { until } from './until.js';

export const OWNER = 'payments';

export const SCOPES = {
  'orders:read': { to: 'orders', methods: ['GET', 'HEAD'], path: '/v1/orders' },
  'orders:write': { to: 'orders', methods: ['POST'], path: '/v1/orders' },
  '{service}:connect': { to: '{service}' },
};

type FileContent = Readonly<Record<string, unknown>>;

export interface DaemonOptions {
  /** Over the ordinary file of a test; an inner key replaces the whole of its kind. */
  readonly file?: FileContent;
  /** Of the provider `main`. */
  readonly provider?: FileContent;
  /** Whether the directory answers for one client alone; true by default. */
  readonly single?: boolean;
  readonly clients?: readonly IdpClient[];
  /** 1.14.11 by default. */
  readonly consulVersion?: string;
  /** Called before the daemon starts. */
  readonly prepare?: (rig: Rig) => void | Promise<void>;
}

/** The world around a daemon: a Consul behind a recording proxy, an identity provider, a state directory, a clock. */
export interface Rig {
  readonly mesh: Mesh;
  readonly proxy: ConsulProxy;
  readonly idp: Idp;
  readonly clock: MovableClock;
  readonly directory: string;
  readonly logs: string[];
  writeFile(file?: FileContent, provider?: FileContent): void;
  /** The configuration as the file says it now. */
  load(): Promise<Config>;
  start(only?: readonly Role[]): Promise<Daemon>;
  /** Every decision in the log so far. */
  decisions(): Promise<readonly Decision[]>;
  /** For a test that removes the log while no daemon runs. */
  forgetDecisions(): Promise<void>;
  /** The first decision that is like this, once it is in the log. */
  decided(like: DecisionLike, after?: number): Promise<Decision>;
  close(): Promise<void>;
}

export type DecisionLike = ((decision: Decision) => boolean) | Readonly<Partial<Decision>>;

export interface Daemon {
  readonly address: string;
  /** Of everything but `/events`. */
  readonly admin: string;
  /** Sends a signed event; resolves with the status. */
  send(event: SignableEvent): Promise<number>;
  tell(type: string, clientId: string): Promise<void>;
  get(path: string): Promise<{ readonly status: number; readonly text: string }>;
  /** With a token of `http.tokens`, or, as a command on this machine does, with that of the state directory. */
  post(
    path: string,
    body: object,
    token?: string,
  ): Promise<{ readonly status: number; readonly text: string }>;
  status(): Promise<Status>;
  /** One sample of what `/metrics` shows, with gauges of now. */
  metric(line: string): Promise<number | undefined>;
  /** Resolves when no key waits or runs and everything settled is published. */
  idle(): Promise<void>;
  reload(): void;
  /** Resolves after a clean stop. */
  stop(): Promise<void>;
  readonly ended: Promise<void>;
}

export async function createRig(options: DaemonOptions = {}): Promise<Rig> {
  const clock = createMovableClock();
  const directory = mkdtempSync(join(tmpdir(), 'scopemesh-daemon-'));
  const path = join(directory, 'scopemesh.yaml');
  makeSparseReserve(directory);
  const mesh = await startMesh(options.consulVersion);
  const proxy = await startConsulProxy(mesh.consul.address);
  const idp = await startIdp({ single: options.single ?? true, now: () => clock.now() });
  for (const client of options.clients ?? []) idp.clients.set(client.clientId, client);
  const logs: string[] = [];
  const running = new Set<Daemon>();
  let log = createDecisionReader(directory);

  let loaded: Config | undefined;
  let hasRun = false;
  /** No scenario may leave a trail that says what is not so. Its file may be wrong by then. Without a daemon nothing follows. */
  const compareTrail = async () => {
    if (loaded === undefined || !hasRun) return;
    const { consul, ...config } = loaded;
    const token = new Secret(mesh.consul.managementToken);
    const whole = { ...config, consul: { ...consul, address: mesh.consul.address, token } };
    const runtime = { logger: silentLogger, metrics: createMetrics(), clock };
    const own =
      config.state.directory === directory ? undefined : createDecisionReader(config.state.directory);
    const faults = await trailFaults(whole, await (own ?? log).read(), runtime);
    await own?.close();
    if (faults.length > 0) throw new Error(`the trail says what is not so:\n${faults.join('\n')}`);
  };
  const rig: Rig = {
    mesh,
    proxy,
    idp,
    clock,
    directory,
    logs,
    writeFile(file = {}, provider = {}) {
      const content = {
        owner: OWNER,
        mode: 'enforce',
        consul: { address: proxy.address, token: mesh.consul.managementToken },
        providers: [
          {
            name: 'main',
            kind: 'oidc',
            issuer: 'http://127.0.0.1/main',
            directory: idp.url,
            directoryToken: idp.directoryToken,
            webhook: { secrets: [idp.webhookSecret] },
            poll: '1h',
            fullRead: '1h',
            ...options.provider,
            ...provider,
          },
        ],
        scopes: SCOPES,
        http: { listen: '127.0.0.1:0' },
        state: { directory },
        resync: '1h',
        ...options.file,
        ...file,
      };
      writeFileSync(path, stringify(content));
    },
    async load() {
      const { config } = await loadConfig({ path, environment: {}, readFile: readTextFile });
      loaded = config;
      return config;
    },
    async start(only = ROLES) {
      const daemon = await startDaemon(rig, only);
      hasRun = true;
      running.add(daemon);
      return daemon;
    },
    decisions: () => log.read(),
    async forgetDecisions() {
      await log.close();
      log = createDecisionReader(directory);
    },
    async decided(like, after = 0) {
      let seen: readonly Decision[] = [];
      const isLike = typeof like === 'function' ? like : (decision: Decision) => matches(decision, like);
      try {
        return await until('a decision', async () => {
          seen = await rig.decisions();
          return seen.slice(after).find(isLike);
        });
      } catch (cause) {
        const seenInShort = seen.map(
          ({ type, subject, outcome, reason }) => `${type} ${subject} ${outcome} ${reason}`,
        );
        const fault = `no decision like ${JSON.stringify(like)} among\n${seenInShort.join('\n')}`;
        throw new Error(fault, { cause });
      }
    },
    async close() {
      for (const daemon of running) await daemon.stop();
      await compareTrail();
      await log.close();
      await Promise.all([proxy.close(), idp.close()]);
      await mesh.consul.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
  rig.writeFile();
  await options.prepare?.(rig);
  return rig;
}

function matches(decision: Decision, like: Readonly<Partial<Decision>>): boolean {
  const known = new Map<string, unknown>(Object.entries(decision));
  return Object.entries(like).every(
    ([name, value]) => JSON.stringify(known.get(name)) === JSON.stringify(value),
  );
}

/** The page of holds that begins before the first one: unlike other reads it makes nobody wait for a pause. */
const STATUS = '/statusz?holdsAfter=!';

async function startDaemon(rig: Rig, only: readonly Role[]): Promise<Daemon> {
  const stop = new AbortController();
  const metrics = createMetrics();
  const reloads = new Set<() => void>();
  const config = await rig.load();
  let onStarted: (addresses: { address: string; admin: string }) => void = () => {};
  const started = new Promise<{ address: string; admin: string }>((resolve) => {
    onStarted = resolve;
  });
  const ended = runDaemon(
    {
      config,
      configFile: join(rig.directory, 'scopemesh.yaml'),
      only,
      reload: () => rig.load(),
      onReload: (listener) => reloads.add(listener),
      started: (address, admin) => onStarted({ address, admin }),
    },
    { logger: recordingLogger(rig.logs), metrics, clock: rig.clock },
    stop.signal,
  );
  const { address, admin } = await Promise.race([
    started,
    ended.then((): never => {
      throw new Error('the daemon ended before it had started');
    }),
  ]);
  const self: Daemon = {
    address,
    admin,
    ended,
    async send(event) {
      const { headers, body } = rig.idp.sign(event);
      const { status } = await send(`${address}/events/main`, { method: 'POST', headers, body });
      return status;
    },
    async tell(type, clientId) {
      const status = await self.send({ type, data: { clientId } });
      if (status !== 202) throw new Error(`the event was answered ${status}`);
    },
    async get(path) {
      return send(admin + path);
    },
    async post(path, body, held) {
      const token = held ?? (await readApiToken(config)).reveal();
      return send(admin + path, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
    },
    async status() {
      return JSON.parse((await self.get(STATUS)).text);
    },
    async metric(line) {
      await self.get(STATUS);
      const { body } = await metrics.expose();
      const found = body.split('\n').find((each) => each.startsWith(`${line} `));
      return found === undefined ? undefined : Number(found.slice(line.length + 1));
    },
    async idle() {
      // A status reads queue and outbox one after the other, so what ends between the two shows only in the next one.
      let before = false;
      await until('an idle daemon', async () => {
        const { leader, sweepAgeSeconds, queue, outboxDecisions } = await self.status();
        const wasIdle = before;
        // A leader first writes what events ask for, and only then compares everything.
        const isCompared = !leader || sweepAgeSeconds !== null;
        before = isCompared && queue.waiting + queue.active + queue.delayed + outboxDecisions === 0;
        return wasIdle && before;
      });
    },
    reload() {
      for (const listener of reloads) listener();
    },
    async stop() {
      stop.abort(new Error('stopped by the test'));
      await ended;
    },
  };
  return self;
}

function recordingLogger(lines: string[]): Logger {
  const at = (level: string) => (fields: object, message: string) => {
    lines.push(JSON.stringify({ level, message, ...fields }));
  };
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

/** A client that names its service. */
export function clientOf(service: string, ...scopes: string[]): IdpClient {
  return {
    clientId: `${service}-app`,
    grantTypes: ['client_credentials'],
    scopes,
    attributes: { 'consul-services': service },
  };
}
