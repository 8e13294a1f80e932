import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { installed, type NewerConsul } from './installed.js';
import { freePorts } from './ports.js';
import { createRunDirectory, type ServerHandle, startServer } from './process.js';

export interface ConsulOptions {
  /** Instead of the one that everything runs on, which `CONSUL_BIN` may replace. */
  version?: NewerConsul;
  /**
   * `deny` (the default): ACLs on with default_policy deny, so that intentions deny as well. `allow`: ACLs on
   * with default_policy allow. `off`: no ACLs at all, the mesh allows by default.
   */
  acl?: 'deny' | 'allow' | 'off';
  managementToken?: string;
  /** `dc1`. */
  datacenter?: string;
  /** As one of several servers: its own port for gossip, and those of all. */
  cluster?: { readonly serfPort: number; readonly serfPorts: readonly number[] };
  /** Merged over the top level of the agent's configuration. */
  config?: Record<string, unknown>;
  signal?: AbortSignal;
}

export interface ConsulHandle extends ServerHandle {
  /** `http://127.0.0.1:PORT` */
  readonly httpAddress: string;
  readonly httpPort: number;
  readonly grpcPort: number;
  /** The initial management token; empty where `acl` is `off`. */
  readonly managementToken: string;
  readonly datacenter: string;
  readonly binary: string;
  /**
   * One call of Consul's HTTP API with the management token: the parsed JSON answer, or undefined for an empty
   * one. Throws `ConsulAnswer` for any other status than 2xx. `body` is sent as JSON.
   */
  request(method: string, path: string, body?: unknown): Promise<unknown>;
}

/** An answer of Consul that is not 2xx. */
export class ConsulAnswer extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.name = 'ConsulAnswer';
    this.status = status;
  }
}

/** Three servers, of which one leads. */
export async function startConsulCluster(): Promise<readonly ConsulHandle[]> {
  const serfPorts = await freePorts(3);
  const managementToken = randomUUID();
  const starting = serfPorts.map((serfPort) =>
    startConsul({ managementToken, cluster: { serfPort, serfPorts } }),
  );
  const started = await Promise.allSettled(starting);
  if (started.every(({ status }) => status === 'fulfilled')) return Promise.all(starting);
  for (const each of started) if (each.status === 'fulfilled') await each.value.stop();
  return Promise.all(starting);
}

/** Starts one Consul server with state on disk and Connect on; resolves once it leads and the mesh CA works. */
export async function startConsul(options: ConsulOptions = {}): Promise<ConsulHandle> {
  const binary = await installed(options.version ?? 'consul');
  const [http = 0, grpc = 0, server = 0, ownSerf = 0] = await freePorts(4);
  const { serfPort: serf = ownSerf, serfPorts = [serf] } = options.cluster ?? {};
  const directory = await createRunDirectory('consul');
  const acl = options.acl ?? 'deny';
  const datacenter = options.datacenter ?? 'dc1';
  const managementToken = acl === 'off' ? '' : (options.managementToken ?? randomUUID());
  const httpAddress = `http://127.0.0.1:${http}`;
  const configFile = join(directory, 'consul.json');
  const config = {
    node_name: `server-${serfPorts.indexOf(serf) + 1}`,
    datacenter,
    server: true,
    // Not -dev, which keeps everything in memory: a killed server comes back as it was.
    bootstrap_expect: serfPorts.length,
    retry_join: serfPorts.filter((port) => port !== serf).map((port) => `127.0.0.1:${port}`),
    retry_interval: '1s',
    data_dir: join(directory, 'state'),
    bind_addr: '127.0.0.1',
    client_addr: '127.0.0.1',
    log_level: 'warn',
    disable_update_check: true,
    performance: { raft_multiplier: 1 },
    // Two agents on one machine would meet at 8503 unless grpc_tls is off.
    ports: { http, grpc, grpc_tls: -1, https: -1, dns: -1, server, serf_lan: serf, serf_wan: -1 },
    connect: { enabled: true },
    ui_config: { enabled: true },
    ...(acl === 'off'
      ? {}
      : {
          acl: {
            enabled: true,
            default_policy: acl,
            tokens: { initial_management: managementToken, agent: managementToken },
          },
        }),
    ...options.config,
  };
  await writeFile(configFile, JSON.stringify(config, null, 2), { mode: 0o600 });

  const request = async (method: string, path: string, body?: unknown): Promise<unknown> => {
    const headers = managementToken === '' ? {} : { 'X-Consul-Token': managementToken };
    const answer = await fetch(`${httpAddress}${path}`, {
      method,
      headers,
      signal: AbortSignal.timeout(20_000),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (!answer.ok) {
      throw new ConsulAnswer(answer.status, `${method} ${path}: ${answer.status} ${text.slice(0, 500)}`);
    }
    if (text === '') return undefined;
    return answer.headers.get('content-type')?.includes('json') ? JSON.parse(text) : text;
  };
  const ready = async () => {
    const leader = await request('GET', '/v1/status/leader');
    if (typeof leader !== 'string' || leader === '') return false;
    const nodes = await request('GET', '/v1/catalog/nodes?consistent');
    if (!Array.isArray(nodes) || nodes.length === 0) return false;
    await request('GET', '/v1/connect/ca/roots');
    return true;
  };
  const agent = { name: 'consul', command: binary, args: ['agent', `-config-file=${configFile}`] };
  const { signal } = options;
  const started = await startServer(directory, agent, ready, { ...(signal ? { signal } : {}) });
  const addresses = { httpAddress, httpPort: http, grpcPort: grpc };
  return Object.assign(started, { ...addresses, managementToken, datacenter, binary, request });
}
