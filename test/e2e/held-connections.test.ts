import { connect, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { clientOf, startWorld, type World } from '../faults/world.js';
import { startConsul } from '../stack/consul.js';
import { until } from '../stack/process.js';

/** What Consul takes from one address by default. */
const LIMIT = 200;

let world: World;
let held: Socket[] = [];
beforeAll(async () => {
  const consul = await startConsul();
  const direct = { address: consul.httpAddress, token: consul.managementToken };
  world = await startWorld({ consul, configuration: { consul: direct } });
});
afterEach(() => release());
afterAll(() => world?.stop());

function release(): void {
  for (const each of held.splice(0)) each.destroy();
}

/** Holds up to so many connections without sending anything, as a process without a token; resolves with how many it has. */
async function hold(count: number): Promise<number> {
  const { port } = new URL(world.consul.httpAddress);
  let settled = 0;
  for (let at = 0; at < count; at++) {
    const socket = connect(Number(port), '127.0.0.1');
    const drop = () => {
      held = held.filter((each) => each !== socket);
      socket.destroy();
    };
    held.push(socket);
    // Consul answers 429 at once on a connection that it refuses.
    for (const event of ['data', 'error', 'close']) socket.once(event, drop);
    socket.once('connect', () => setTimeout(() => settled++, 300));
    socket.once('error', () => settled++);
  }
  await until('each connection is taken or refused', () => settled >= count);
  return held.length;
}

const hasEdge = async (client: string): Promise<boolean> => {
  const entry = Object(
    await world.consul.request('GET', '/v1/config/service-intentions/d-1').catch(() => ({})),
  );
  const sources: unknown[] = Array.isArray(entry.Sources) ? entry.Sources : [];
  return sources.some((each) => Object(each).Name === client.replace('-app', ''));
};

/** The edge as the decisions show it: our own request would need a connection too. */
async function timeOf(client: string, scopes: readonly string[]): Promise<number> {
  const subject = `intention/default/default/d-1/${client.replace('-app', '')}`;
  const count = async () =>
    (await world.decisions()).filter((each) => each.subject === subject && each.outcome === 'applied').length;
  const before = await count();
  const from = performance.now();
  world.put(client, scopes);
  await until('the change is made', async () => (await count()) > before, { timeoutMs: 60_000 });
  return performance.now() - from;
}

describe('a process that holds connections of Consul', () => {
  it.each([150, LIMIT - 1, LIMIT])(
    '%s of them: a revocation is made all the same',
    async (count) => {
      const clients = Array.from({ length: 5 }, (_, at) => clientOf(at));
      for (const client of clients) world.put(client, ['d-1:read']);
      await until('the edges are open', async () => {
        for (const client of clients) if (!(await hasEdge(client))) return false;
        return true;
      });
      await world.daemon.idle();
      const has = await hold(count);
      const times: number[] = [];
      for (const client of clients) times.push(await timeOf(client, []));
      console.log(`${has} held: revocations after ${times.map((each) => Math.round(each)).join(', ')} ms`);
      expect(Math.max(...times)).toBeLessThan(2_000);
      release();
      for (const client of clients) expect(await hasEdge(client)).toBe(false);
    },
    180_000,
  );
});
