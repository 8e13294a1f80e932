import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { access, open, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import type { Clock } from '../clock.js';
import { SyncError } from '../errors.js';
import { makeDirectory } from '../make-directory.js';
import { type ConsulPlace, callConsul } from './consul-api.js';
import { choosePort } from './ports.js';

export interface RunningConsul extends ConsulPlace {
  close(): Promise<void>;
}

const START_TIMEOUT_MS = 20_000;
const STOP_TIMEOUT_MS = 1_000;
const LOOK_MS = 100;

/** The first executable `consul` on a PATH; undefined if the PATH has no such file. */
export async function findConsul(path: string): Promise<string | undefined> {
  for (const folder of path.split(delimiter).filter((each) => each !== '')) {
    const file = join(folder, process.platform === 'win32' ? 'consul.exe' : 'consul');
    const isThere = await access(file, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (isThere) return file;
  }
  return undefined;
}

/**
 * Starts a real Consul server as a child process on the loopback interface, with default-deny ACLs. Resolves once it
 * leads and its ACLs work. Throws ERR_CONSUL_UNREACHABLE with the path of its log if that takes more than 20 s.
 */
export async function startConsulChild(
  options: {
    readonly binary: string;
    readonly port: number;
    readonly directory: string;
    /** The state is kept, so Consul is stopped cleanly. */
    readonly isKept: boolean;
    readonly clock: Clock;
  },
  signal: AbortSignal,
): Promise<RunningConsul> {
  const { binary, port, directory, isKept, clock } = options;
  makeDirectory(directory);
  const managementToken = randomUUID();
  const [server, serf] = await Promise.all([freePort(), freePort()]);
  const configFile = join(directory, 'consul.json');
  const configuration = {
    node_name: 'demo',
    server: true,
    bootstrap_expect: 1,
    data_dir: join(directory, 'state'),
    bind_addr: '127.0.0.1',
    client_addr: '127.0.0.1',
    log_level: 'warn',
    disable_update_check: true,
    performance: { raft_multiplier: 1 },
    ports: { http: port, https: -1, grpc: -1, grpc_tls: -1, dns: -1, server, serf_lan: serf, serf_wan: -1 },
    connect: { enabled: true },
    ui_config: { enabled: true },
    acl: {
      enabled: true,
      default_policy: 'deny',
      tokens: { initial_management: managementToken, agent: managementToken },
    },
  };
  await writeFile(configFile, JSON.stringify(configuration, null, 2), { mode: 0o600 });
  const logFile = join(directory, 'consul.log');
  const log = await open(logFile, 'a', 0o600);
  // In its own process group, so that ctrl-c does not reach Consul. The demo stops it last.
  const child = spawn(binary, ['agent', `-config-file=${configFile}`], {
    stdio: ['ignore', log.fd, log.fd],
    detached: true,
  });
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  let isGone = false;
  const gone = new Promise<void>((resolve) => {
    const end = () => {
      isGone = true;
      process.off('exit', kill);
      resolve();
    };
    child.once('exit', end);
    child.once('error', end);
  });
  await log.close();

  const place: ConsulPlace = { address: `http://127.0.0.1:${port}`, managementToken };
  const close = async () => {
    child.kill(isKept ? 'SIGTERM' : 'SIGKILL');
    const timer = setTimeout(kill, STOP_TIMEOUT_MS);
    await gone;
    clearTimeout(timer);
  };
  const giveUpAt = clock.now() + START_TIMEOUT_MS;
  while (!(await isReady(place, signal))) {
    if (!isGone && clock.now() < giveUpAt && !signal.aborted) {
      await clock.sleep(LOOK_MS, signal).catch(() => {});
      continue;
    }
    await close();
    signal.throwIfAborted();
    throw new SyncError('ERR_CONSUL_UNREACHABLE', `demo: ${binary} did not start; see ${logFile}`, {
      retriable: false,
    });
  }
  return { ...place, close };
}

/** Whether Consul leads, its token works, and its own node is in the catalog. */
async function isReady(place: ConsulPlace, signal: AbortSignal): Promise<boolean> {
  try {
    const path = '/v1/catalog/nodes?consistent';
    const nodes = await callConsul(place, { path, timeoutMs: 2_000 }, signal);
    if (!Array.isArray(nodes.json) || nodes.json.length === 0) return false;
    await callConsul(place, { path: '/v1/acl/token/self', timeoutMs: 2_000 }, signal);
    return true;
  } catch {
    return false;
  }
}

function freePort(): Promise<number> {
  return choosePort({ name: 'Consul', preferred: 0, isExplicit: false });
}
