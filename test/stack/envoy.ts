import { once } from 'node:events';
import { createServer, type OutgoingHttpHeaders, request, type Server } from 'node:http';
import type { ConsulHandle } from './consul.js';
import { freePort, freePorts } from './ports.js';
import { createRunDirectory, removeRunDirectory, type ServerProcess, until } from './process.js';
import { type Sidecar, startSidecar } from './sidecar.js';

export interface MeshService {
  name: string;
  /** Written as the service's service-defaults; when left out none is written, and Consul takes it for tcp. */
  protocol?: 'http' | 'tcp';
  /** The services that it may want to call. */
  upstreams?: string[];
  meta?: Record<string, string>;
  tags?: string[];
  /** The configuration of its sidecar, which listens for the mesh on this port. */
  proxyConfig?: (port: number) => Record<string, unknown>;
}

export interface MeshOptions {
  services: MeshService[];
  /** Of every Envoy; 600 s is Envoy's own default. */
  drainTimeSeconds?: number;
  signal?: AbortSignal;
}

export interface Mesh {
  /** The Envoys that run now. */
  readonly processes: ServerProcess[];
  /**
   * One request from a service to one of its upstreams, through both their Envoys, on a connection of its own to
   * the first. Resolves with the HTTP status; 0 where the connection was closed without an answer, as L4 does.
   */
  call(
    from: string,
    to: string,
    method: string,
    path: string,
    headers?: OutgoingHttpHeaders,
  ): Promise<number>;
  /**
   * Calls until the status is the wanted one (30 s at most); resolves with the milliseconds that took. A denial
   * shows one request late, because Envoy answers the next one on a pooled connection by the old policy.
   */
  waitForStatus(
    status: number,
    call: { from: string; to: string; method: string; path: string },
    timeoutMs?: number,
  ): Promise<number>;
  /** Registers a further service and starts its Envoy; resolves once calls from and to it can pass. */
  add(service: MeshService): Promise<void>;
  /** Registers the service again with other meta or tags; nothing else of it changes. */
  update(name: string, changes: Pick<MeshService, 'meta' | 'tags'>): Promise<void>;
  /** Takes the service's only instance and its sidecar out of the catalog and stops its Envoy. */
  remove(name: string): Promise<void>;
  /** Where a service reaches one of its upstreams: `http://127.0.0.1:PORT`, a listener of its own Envoy. */
  upstreamAddress(from: string, to: string): string;
  /** The address of Envoy's own admin interface for a service. */
  adminAddress(name: string): string;
  /** Also takes the services out of the catalog. Repeating is safe. */
  stop(): Promise<void>;
}

interface Member {
  service: MeshService;
  server: Server;
  port: number;
  sidecarPort: number;
  upstreamPorts: Map<string, number>;
  sidecar: Sidecar;
}

/** Starts services, each a small HTTP server that answers 200 to everything, and a real Envoy beside each. */
export async function startMesh(consul: ConsulHandle, options: MeshOptions): Promise<Mesh> {
  const directory = await createRunDirectory('mesh');
  const members = new Map<string, Member>();

  const member = (name: string): Member => {
    const found = members.get(name);
    if (found === undefined) throw new Error(`the mesh has no service ${name}`);
    return found;
  };
  const start = async (service: MeshService) => {
    if (service.protocol !== undefined) {
      const defaults = { Kind: 'service-defaults', Name: service.name, Protocol: service.protocol };
      await consul.request('PUT', '/v1/config', defaults);
    }
    const upstreams = service.upstreams ?? [];
    const ports = await freePorts(upstreams.length + 1);
    const upstreamPorts = new Map(upstreams.map((name, at) => [name, ports[at] ?? 0]));
    const sidecarPort = ports.at(-1) ?? 0;
    const { server, port } = await startUpstream(service.name);
    try {
      await register(consul, service, { port, sidecarPort, upstreamPorts });
      const sidecar = await startSidecar(consul, {
        serviceId: service.name,
        directory,
        ...(options.drainTimeSeconds === undefined ? {} : { drainTimeSeconds: options.drainTimeSeconds }),
      });
      members.set(service.name, { service, server, port, sidecarPort, upstreamPorts, sidecar });
    } catch (error) {
      server.close();
      throw error;
    }
  };
  const ready = async () => {
    for (const { service, sidecar } of members.values()) {
      const present = (service.upstreams ?? []).filter((name) => members.has(name));
      await until(`the Envoy of ${service.name} is ready`, () => sidecar.isReady(present), {
        timeoutMs: 60_000,
        process: sidecar.process,
        ...(options.signal ? { signal: options.signal } : {}),
      });
    }
  };
  const remove = async (name: string) => {
    const { server, sidecar } = member(name);
    members.delete(name);
    await sidecar.process.stop(3000);
    server.close();
    server.closeAllConnections();
    await consul.request('PUT', `/v1/agent/service/deregister/${name}`);
  };
  const stop = async () => {
    // Consul may be gone already; the processes must go all the same.
    await Promise.allSettled([...members.keys()].map(remove));
    await removeRunDirectory(directory);
  };
  const upstreamPort = (from: string, to: string): number => {
    const port = member(from).upstreamPorts.get(to);
    if (port === undefined) throw new Error(`${from} has no upstream ${to}`);
    return port;
  };
  const call: Mesh['call'] = async (from, to, method, path, headers = {}) =>
    statusOf(upstreamPort(from, to), method, path, headers);

  try {
    for (const service of options.services) await start(service);
    await ready();
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    get processes() {
      return [...members.values()].map(({ sidecar }) => sidecar.process);
    },
    call,
    async waitForStatus(status, { from, to, method, path }, timeoutMs = 30_000) {
      const began = performance.now();
      let seen = 0;
      const reached = async () => {
        seen = await call(from, to, method, path);
        return seen === status;
      };
      await until(`${method} ${path} from ${from} to ${to} answers ${status}`, reached, {
        timeoutMs,
        intervalMs: 5,
      }).catch((error: unknown) => {
        throw new Error(`${method} ${path} from ${from} to ${to} still answers ${seen}, not ${status}`, {
          cause: error,
        });
      });
      return performance.now() - began;
    },
    async add(service) {
      await start(service);
      await ready();
    },
    async update(name, changes) {
      const found = member(name);
      found.service = { ...found.service, ...changes };
      await register(consul, found.service, found);
    },
    remove,
    upstreamAddress: (from, to) => `http://127.0.0.1:${upstreamPort(from, to)}`,
    adminAddress: (name) => member(name).sidecar.adminAddress,
    stop,
  };
}

async function register(
  consul: ConsulHandle,
  service: MeshService,
  ports: Pick<Member, 'port' | 'sidecarPort' | 'upstreamPorts'>,
): Promise<void> {
  const upstreams = [...ports.upstreamPorts].map(([name, port]) => ({
    DestinationName: name,
    LocalBindPort: port,
  }));
  await consul.request('PUT', '/v1/agent/service/register', {
    Name: service.name,
    Address: '127.0.0.1',
    Port: ports.port,
    Meta: service.meta ?? {},
    Tags: service.tags ?? [],
    Connect: {
      SidecarService: {
        Port: ports.sidecarPort,
        Proxy: { Upstreams: upstreams, Config: service.proxyConfig?.(ports.sidecarPort) ?? {} },
        // Consul's own check of a sidecar runs every 10 s, and nothing passes before its first success.
        Checks: [
          { Name: 'sidecar listens', TCP: `127.0.0.1:${ports.sidecarPort}`, Interval: '1s', Timeout: '1s' },
          { Name: 'service', AliasService: service.name },
        ],
      },
    },
  });
}

async function startUpstream(name: string): Promise<{ server: Server; port: number }> {
  const port = await freePort();
  const server = createServer((incoming, answer) => {
    incoming.resume();
    answer.setHeader('content-type', 'application/json');
    answer.end(JSON.stringify({ service: name, method: incoming.method, path: incoming.url }));
  });
  server.listen({ host: '127.0.0.1', port });
  await once(server, 'listening');
  return { server, port };
}

function statusOf(port: number, method: string, path: string, headers: OutgoingHttpHeaders): Promise<number> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      { host: '127.0.0.1', port, method, path, headers, agent: false, timeout: 15_000 },
      (answer) => {
        answer.resume();
        answer.once('error', () => resolve(0));
        answer.once('end', () => resolve(answer.statusCode ?? 0));
      },
    );
    outgoing.once('timeout', () => outgoing.destroy(new Error(`no answer to ${method} ${path} in 15 s`)));
    outgoing.once('error', (error) => {
      const closed = 'code' in error && (error.code === 'ECONNRESET' || error.code === 'ECONNREFUSED');
      if (closed) resolve(0);
      else reject(error);
    });
    outgoing.end();
  });
}
