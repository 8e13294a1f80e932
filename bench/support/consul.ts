import { Pool } from 'undici';
import { z } from 'zod';
import { type ConsulHandle, startConsul } from '../../test/stack/consul.js';
import type { World } from './world.js';

/** A fresh Consul that counts its HTTP requests, and a pooled connection to it. */
export interface BenchConsul {
  readonly handle: ConsulHandle;
  /** One request; resolves with the text and the index. Throws for any other status than 2xx and `allowed`. */
  send(method: 'GET' | 'PUT', path: string, body?: string, allowed?: number): Promise<Answer>;
  /** Registers services, 64 in a transaction. */
  register(world: World): Promise<void>;
  /** All intentions, by destination. */
  entries(): Promise<readonly Entry[]>;
  /** One destination's entry; undefined where there is none. `index` waits until it is no longer the current one. */
  entry(name: string, index?: number): Promise<{ readonly entry: Entry | undefined; readonly index: number }>;
  /** How many HTTP requests were answered, as `METHOD path`, in Consul's own spelling. */
  requests(): Promise<ReadonlyMap<string, number>>;
  stop(): Promise<void>;
}

export interface Answer {
  readonly status: number;
  readonly text: string;
  readonly index: number;
}

const ENTRY = z.object({
  Name: z.string(),
  CreateIndex: z.number(),
  ModifyIndex: z.number(),
  Sources: z.array(z.object({ Name: z.string() })).default([]),
});
export type Entry = z.infer<typeof ENTRY>;

const SERVICES_PER_NODE = 64;

/** `connections`: the most requests in flight over `send`. */
export async function startBenchConsul(connections = 128): Promise<BenchConsul> {
  const telemetry = { prometheus_retention_time: '24h', disable_hostname: true };
  // The default of 200 connections from one client is for the Internet.
  const handle = await startConsul({ config: { telemetry, limits: { http_max_conns_per_client: 2_000 } } });
  const pool = new Pool(handle.httpAddress, { connections, pipelining: 1, bodyTimeout: 120_000 });
  const headers = { 'x-consul-token': handle.managementToken };
  const send: BenchConsul['send'] = async (method, path, body, allowed) => {
    const answer = await pool.request({ method, path, headers, ...(body === undefined ? {} : { body }) });
    const text = await answer.body.text();
    const { statusCode: status } = answer;
    if ((status < 200 || status > 299) && status !== allowed)
      throw new Error(`Consul answered ${method} ${path} with ${status}: ${text.slice(0, 200)}`);
    return { status, text, index: Number(answer.headers['x-consul-index'] ?? 0) };
  };
  return {
    handle,
    send,
    async register({ services }) {
      const nodes = Math.ceil(services.length / SERVICES_PER_NODE);
      await inParallel(8, nodes, async (at) => {
        const Node = `node-${at}`;
        await send('PUT', '/v1/catalog/register', JSON.stringify({ Node, Address: '127.0.0.2' }));
        const first = at * SERVICES_PER_NODE;
        const operations = services
          .slice(first, first + SERVICES_PER_NODE)
          .map(({ name, clientId }) => ({
            ID: name,
            Service: name,
            Port: 80,
            Meta: { 'oauth-client-id': clientId },
          }))
          .map((Service) => ({ Service: { Verb: 'set', Node, Service } }));
        await send('PUT', '/v1/txn', JSON.stringify(operations));
      });
    },
    async entries() {
      const { text } = await send('GET', '/v1/config/service-intentions?consistent');
      return z.array(ENTRY).parse(JSON.parse(text));
    },
    async entry(name, index) {
      const wait = index === undefined ? '' : `?index=${index}&wait=10s`;
      const answer = await send('GET', `/v1/config/service-intentions/${name}${wait}`, undefined, 404);
      const entry = answer.status === 404 ? undefined : ENTRY.parse(JSON.parse(answer.text));
      return { entry, index: answer.index };
    },
    async requests() {
      const { text } = await send('GET', '/v1/agent/metrics?format=prometheus');
      const found = text.matchAll(/^consul_api_http_count\{method="(\w+)",path="([^"]*)"\} (\d+)/gm);
      return new Map([...found].map(([, method, path, count]) => [`${method} ${path}`, Number(count)]));
    },
    async stop() {
      await pool.destroy();
      await handle.stop();
    },
  };
}

/** How many requests whose name begins with `prefix` came between two looks. */
export function countBetween(
  before: ReadonlyMap<string, number>,
  after: ReadonlyMap<string, number>,
  prefix: string,
): number {
  let count = 0;
  for (const [name, now] of after) if (name.startsWith(prefix)) count += now - (before.get(name) ?? 0);
  return count;
}

/** Calls `run` for 0 to `count` - 1, `concurrency` at a time. */
export async function inParallel(
  concurrency: number,
  count: number,
  run: (index: number) => Promise<unknown>,
): Promise<void> {
  let next = 0;
  const worker = async () => {
    for (let index = next++; index < count; index = next++) await run(index);
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, count) }, worker));
}
