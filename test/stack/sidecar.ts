import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { fieldOf } from '../../src/model/field-of.js';
import type { ConsulHandle } from './consul.js';
import { installed } from './installed.js';
import { freePort } from './ports.js';
import { type ServerProcess, startProcess } from './process.js';

export interface SidecarOptions {
  /** The id of the service on the local agent. */
  serviceId: string;
  /** Set for a registered gateway, whose Envoy is then started. */
  gateway?: 'api' | 'ingress' | 'terminating';
  directory: string;
  /** What Envoy asks Consul with; the management token by default. It must outlive the proxy. */
  aclToken?: string;
  /** How long Envoy lets open connections live after its listener changed; 600 s is its own default. */
  drainTimeSeconds?: number;
}

export interface Sidecar {
  readonly process: ServerProcess;
  /** `http://127.0.0.1:PORT` */
  readonly adminAddress: string;
  /** Whether it listens for the service and for each upstream and knows a healthy endpoint of each upstream. */
  isReady(upstreams: string[]): Promise<boolean>;
}

/** Starts the Envoy of one registered service through `consul connect envoy`. It isn't ready yet. */
export async function startSidecar(consul: ConsulHandle, options: SidecarOptions): Promise<Sidecar> {
  const envoy = await installed('envoy');
  const adminPort = await freePort();
  const adminAddress = `http://127.0.0.1:${adminPort}`;
  const { gateway, serviceId } = options;
  const args = ['connect', 'envoy', '-envoy-binary', envoy];
  if (gateway === undefined) args.push('-sidecar-for', serviceId);
  // The address is that of a listener for Consul's health check.
  else args.push('-gateway', gateway, '-proxy-id', serviceId, '-address', `127.0.0.1:${await freePort()}`);
  args.push('-admin-bind', `127.0.0.1:${adminPort}`, '-grpc-addr', `127.0.0.1:${consul.grpcPort}`);
  args.push(...(await envoyOptions(consul.binary)));
  // Envoy keeps access log lines for 10 s by default.
  args.push('--', '--concurrency', '1', '--log-level', 'warn', '--file-flush-interval-msec', '100');
  // Consul turns hot restart off by itself only where no such option is given.
  if (options.drainTimeSeconds !== undefined) {
    args.push('--drain-time-s', String(options.drainTimeSeconds), '--disable-hot-restart');
  }
  const aclToken = options.aclToken ?? consul.managementToken;
  const started = await startProcess({
    name: `envoy of ${options.serviceId}`,
    command: consul.binary,
    args,
    // Not on the command line, which every process of the machine can read.
    env: {
      CONSUL_HTTP_ADDR: consul.httpAddress,
      ...(aclToken === '' ? {} : { CONSUL_HTTP_TOKEN: aclToken }),
    },
    logFile: join(options.directory, `envoy-${options.serviceId}.log`),
  });
  return {
    process: started,
    adminAddress,
    async isReady(upstreams) {
      const listeners = namesIn(await ask(adminAddress, '/listeners?format=json'), 'listener_statuses');
      if (!listeners.some((name) => name.startsWith('public_listener:'))) return false;
      if (upstreams.length === 0) return true;
      if (!upstreams.every((name) => listeners.some((listener) => listener.startsWith(`${name}:`))))
        return false;
      const healthy = healthyClusters(await ask(adminAddress, '/clusters?format=json'));
      return upstreams.every((name) => healthy.some((cluster) => cluster.startsWith(`${name}.`)));
    },
  };
}

/** Options of `consul connect envoy`: newer ones refuse an Envoy that they were not released for without this flag. */
export async function envoyOptions(consulBinary: string): Promise<readonly string[]> {
  const asked = promisify(execFile)(consulBinary, ['connect', 'envoy', '-h'], { timeout: 20_000 });
  const { stdout } = await asked.catch((error: unknown) => ({ stdout: String(fieldOf(error, 'stdout')) }));
  const flag = '-ignore-envoy-compatibility';
  return stdout.includes(flag) ? [flag] : [];
}

async function ask(adminAddress: string, path: string): Promise<unknown> {
  const answer = await fetch(`${adminAddress}${path}`, { signal: AbortSignal.timeout(5000) });
  return answer.json();
}

function namesIn(answer: unknown, list: string): string[] {
  return listOf(answer, list).map((entry) => String(fieldOf(entry, 'name')));
}

function healthyClusters(answer: unknown): string[] {
  const healthy = listOf(answer, 'cluster_statuses').filter((cluster) =>
    listOf(cluster, 'host_statuses').some(
      (host) => fieldOf(fieldOf(host, 'health_status'), 'eds_health_status') === 'HEALTHY',
    ),
  );
  return healthy.map((cluster) => String(fieldOf(cluster, 'name')));
}

function listOf(value: unknown, field: string): unknown[] {
  const list = fieldOf(value, field);
  return Array.isArray(list) ? list : [];
}
