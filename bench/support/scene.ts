import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { request } from 'undici';
import { freePort } from '../../test/stack/ports.js';
import { type BenchConsul, startBenchConsul } from './consul.js';
import { type IdentityProvider, type SignedEvent, startIdentityProvider } from './identity-provider.js';
import { type CommandRun, type Daemon, runCommand, startDaemon } from './product.js';
import { CONNECT, type World } from './world.js';

/** A fresh Consul with the services of a world, an identity provider with its clients, and a configuration file. */
export interface Scene {
  readonly consul: BenchConsul;
  readonly idp: IdentityProvider;
  readonly directory: string;
  /** Ends with the scene. */
  startDaemon(wrapper?: readonly string[]): Promise<Daemon>;
  /** Another replica, with a state directory of its own. Ends with the scene. */
  startReplica(): Promise<Daemon>;
  command(...args: readonly string[]): Promise<CommandRun>;
  /** Sends a signed event; resolves with the milliseconds until it was acknowledged, and throws if it was not. */
  send(daemon: Daemon, event: SignedEvent): Promise<number>;
  /** The same, whatever the answer is. */
  post(
    daemon: Daemon,
    event: SignedEvent,
  ): Promise<{ readonly status: number; readonly milliseconds: number }>;
  /** Applied decisions whose subject begins with this. */
  countDecisions(subject: string): Promise<number>;
  close(): Promise<void>;
}

export interface SceneOptions {
  /** Over the configuration file. */
  readonly file?: Readonly<Record<string, unknown>>;
  readonly provider?: Readonly<Record<string, unknown>>;
  readonly http?: Readonly<Record<string, unknown>>;
  /** Public keys of the identity provider, as JWKs. */
  readonly keys?: readonly object[];
}

/** `apply` exits with 3 if something is held. */
const HELD = 3;

export async function openScene(world: World, options: SceneOptions = {}): Promise<Scene> {
  const directory = await mkdtemp(join(tmpdir(), 'scopemesh-bench-'));
  const consul = await startBenchConsul();
  const idp = await startIdentityProvider(options.keys);
  const daemons: Daemon[] = [];
  let file: Readonly<Record<string, unknown>> = {};
  const configure = (into: string, more: object) =>
    writeFile(join(into, 'scopemesh.json'), JSON.stringify({ ...file, ...more }, null, 2), { mode: 0o600 });
  const listen = `127.0.0.1:${await freePort()}`;
  const close = async () => {
    for (const daemon of daemons) await daemon.stop();
    await Promise.allSettled([consul.stop(), idp.close()]);
    await rm(directory, { recursive: true, force: true });
  };
  try {
    await consul.register(world);
    idp.put(...world.clients);
    const provider = {
      name: 'main',
      kind: 'oidc',
      issuer: idp.origin,
      directory: idp.directoryUrl,
      directoryToken: idp.directoryToken,
      webhook: { secrets: [idp.webhookSecret] },
      // What is measured is what the row sends, not what a poll finds meanwhile.
      poll: '1h',
      fullRead: '1h',
      ...options.provider,
    };
    file = {
      owner: 'bench',
      mode: 'enforce',
      consul: { address: consul.handle.httpAddress, token: consul.handle.managementToken },
      providers: [provider],
      scopes: { [CONNECT]: { to: '{service}' } },
      http: { listen, ...options.http },
      state: { directory: join(directory, 'state') },
      resync: '1h',
      ...options.file,
    };
    await configure(directory, {});
  } catch (error) {
    await close();
    throw error;
  }
  const command = (...args: readonly string[]) =>
    runCommand(directory, args, args[0] === 'apply' ? [0, HELD] : [0]);
  return {
    consul,
    idp,
    directory,
    command,
    async startDaemon(wrapper) {
      const daemon = await startDaemon(directory, listen, wrapper);
      daemons.push(daemon);
      return daemon;
    },
    async startReplica() {
      const own = await mkdtemp(join(directory, 'replica-'));
      const address = `127.0.0.1:${await freePort()}`;
      await configure(own, { http: { listen: address }, state: { directory: join(own, 'state') } });
      const daemon = await startDaemon(own, address);
      daemons.push(daemon);
      return daemon;
    },
    async send(daemon, event) {
      const { status, milliseconds } = await post(daemon, event);
      if (status !== 202) throw new Error(`the event was answered ${status}`);
      return milliseconds;
    },
    post,
    async countDecisions(subject) {
      const { outFile } = await command('decisions', 'list', '--json', '--subject', subject);
      const lines = (await readFile(outFile, 'utf8')).split('\n');
      return lines.filter((line) => line.includes('"outcome":"applied"')).length;
    },
    close,
  };
}

async function post(daemon: Daemon, { headers, body }: SignedEvent) {
  const begun = performance.now();
  const answer = await request(`${daemon.address}/events/main`, { method: 'POST', headers, body });
  await answer.body.text();
  return { status: answer.statusCode, milliseconds: performance.now() - begun };
}
