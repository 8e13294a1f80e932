import { Pool } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clientOf, startWorld, type World } from '../faults/world.js';
import { type ConsulHandle, startConsul } from '../stack/consul.js';
import { until } from '../stack/process.js';

const REVOCATIONS = 12;

let world: World;
beforeAll(async () => {
  const consul = await startConsul();
  // Past the proxy, which would make each request of the daemon slower than those of the writers.
  const direct = { address: consul.httpAddress, token: consul.managementToken };
  world = await startWorld({ consul, configuration: { consul: direct } });
});
afterAll(() => world?.stop());

interface Source {
  readonly Name: string;
}

interface Entry {
  readonly Sources?: readonly Source[];
  readonly ModifyIndex?: number;
}

/**
 * Two writers that change one entry as fast as Consul lets them. Each reads it, changes a source of its own and writes it by
 * compare-and-set, so nothing of anybody else is lost.
 */
function startRivals({ consul }: World, name: string) {
  const pool = new Pool(consul.httpAddress);
  const headers = { 'x-consul-token': consul.managementToken };
  const ask = async (method: 'GET' | 'PUT', path: string, body?: string) => {
    const answer = await pool.request({ path, method, headers, body: body ?? null });
    return { status: answer.statusCode, text: await answer.body.text() };
  };
  let isOver = false;
  let changes = 0;
  const write = async (own: string) => {
    for (let turn = 0; !isOver; turn++) {
      const { status, text } = await ask('GET', `/v1/config/service-intentions/${name}`);
      const entry: Entry = status === 200 ? JSON.parse(text) : {};
      const source = { Name: own, Action: turn % 2 === 0 ? 'allow' : 'deny', Description: `turn ${turn}` };
      const Sources = [...(entry.Sources ?? []).filter(({ Name }) => Name !== own), source];
      const body = JSON.stringify({ Kind: 'service-intentions', Name: name, ...entry, Sources });
      const written = await ask('PUT', `/v1/config?cas=${entry.ModifyIndex ?? 0}`, body);
      if (written.text.trim() === 'true') changes++;
    }
  };
  const writing = Promise.all([write('rival-1'), write('rival-2')]);
  return {
    changes: () => changes,
    async stop() {
      isOver = true;
      await writing;
      await pool.close();
    },
  };
}

const readEntry = async (consul: ConsulHandle, name: string): Promise<Entry> =>
  Object(await consul.request('GET', `/v1/config/service-intentions/${name}`).catch(() => ({})));

const has = (entry: Entry, service: string) => entry.Sources?.some(({ Name }) => Name === service) === true;

/** Takes the scopes of one client after the other while the rivals write, and returns the times until each edge is gone. */
async function revokeAll(
  clients: readonly string[],
  destination: string,
  rivals: ReturnType<typeof startRivals>,
): Promise<readonly number[]> {
  const times: number[] = [];
  await until('the writers write', () => rivals.changes() > 100);
  const [began, before] = [performance.now(), rivals.changes()];
  for (const client of clients) {
    const gone = until(
      'the edge is gone',
      async () => !has(await readEntry(world.consul, destination), serviceOf(client)),
      { timeoutMs: 60_000 },
    );
    const from = performance.now();
    world.put(client, []);
    await gone;
    times.push(performance.now() - from);
  }
  const rate = ((rivals.changes() - before) * 1000) / (performance.now() - began);
  const sorted = times.toSorted((a, b) => a - b);
  const text = `${Math.round(sorted[Math.floor(sorted.length / 2)] ?? 0)} ms, max ${Math.round(sorted.at(-1) ?? 0)} ms`;
  console.log(`${times.length} revocations beside ${rate.toFixed(0)} changes/s: p50 ${text}`);
  return times;
}

const serviceOf = (client: string) => client.replace('-app', '');

async function open(clients: readonly string[], scope: string, destination: string): Promise<void> {
  for (const client of clients) world.put(client, [scope]);
  await world.delivered();
  await until('the edges are open', async () => {
    const entry = await readEntry(world.consul, destination);
    return clients.every((client) => has(entry, serviceOf(client)));
  });
  await world.daemon.idle();
}

describe('a revocation beside a foreign writer', () => {
  const clients = Array.from({ length: REVOCATIONS }, (_, at) => clientOf(at));

  it.each([
    ['that changes another source of the destination', 'd-1', () => 'd-1'],
    ['that fights over the intentions of every destination', 'd-2', () => '*'],
    ['that changes another destination of the client', 'd-1', () => 'd-3'],
  ])(
    '%s is made within 2 s, with one decision for each change',
    async (_, destination, fought) => {
      await open(clients, `${destination}:read`, destination);
      const known = new Set((await world.decisions()).map(({ id }) => id));
      const rivals = startRivals(world, fought());
      const times = await revokeAll(clients, destination, rivals).finally(() => rivals.stop());
      expect(Math.max(...times)).toBeLessThan(2_000);
      await world.daemon.idle();
      expect(has(await readEntry(world.consul, fought()), 'rival-1')).toBe(true);
      const decided = (await world.decisions()).filter(
        ({ id, resource }) => !known.has(id) && resource.destination === destination,
      );
      const lines = decided.map(({ resource, outcome, action }) => `${resource.source} ${action} ${outcome}`);
      expect(lines.toSorted()).toEqual(
        clients.map((client) => `${serviceOf(client)} revoke applied`).toSorted(),
      );
    },
    180_000,
  );
});
